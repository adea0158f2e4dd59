"""The optional package that a `state.url` needs: whether it is installed, and how to install it."""

from statusproxy.config.packages import installing, missing_requirements
from statusproxy.config.state_url import find_form

__all__ = ["missing_package", "needed_packages"]


def needed_packages(url: str) -> list[str]:
    """The requirements, as pip takes them, that a `state.url` needs and that are not installed here."""
    form = find_form(url.lower())
    if form is None or not form.package:
        return []
    return missing_requirements(form.extra, form.package, form.package)


def missing_package(url: str) -> str | None:
    """What is missing for a `state.url` and the command that installs it; None where nothing is.

    Repeats nothing of the URL: it may hold a password.
    """
    packages, form = needed_packages(url), find_form(url.lower())
    if not packages or form is None:
        return None
    return f"state.url: {installing(f'a state in {form.title}', packages)}"
