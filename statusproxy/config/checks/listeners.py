"""Checks of `listen` and `admin`: no two listeners on one port, and a token where other machines reach `admin`."""

from statusproxy.config.settings import Admin, Settings
from statusproxy.config.spot import Block


def check_admin(admin: Admin, block: Block) -> None:
    """Refuse an address that other machines reach without a token, and a token that no header can carry."""
    if admin.token is not None and admin.token.endswith(" "):
        raise block.at("token").error(
            "found a space at the end, which no header can have, so no one is let in; allowed: a token without it"
        )
    if admin.listen is not None and not admin.listen.is_private and admin.token is None:
        raise block.at("listen").error(
            f'found "{admin.listen}", which other machines may reach, and no admin.token; session states and the '
            "release button are private: write 127.0.0.1 or unix:/path, or set admin.token"
        )


def check_addresses(block: Block, settings: Settings) -> None:
    """Refuse two listeners at one address."""
    for index, address in enumerate(settings.listen):
        for other in settings.listen[:index]:
            if address == other:
                raise block.at("listen").error(f'found "{address}" twice; allowed: each address once')
            if address.clashes_with(other):
                raise block.at("listen").error(f'found "{other}" and "{address}"; only one of them can be opened')
        if settings.admin.listen is not None and settings.admin.listen.clashes_with(address):
            raise block.at("admin", "listen").error(
                f'admin.listen "{settings.admin.listen}" and listen "{address}" are the same port; '
                "give admin.listen another"
            )
