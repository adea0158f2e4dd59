"""The doctor's words in English: for each code what was found, and the fix where there is one."""

from collections.abc import Mapping
from typing import Final

Words = Mapping[str, tuple[str, str | None]]

GROUPS: Final[Mapping[str, str]] = {
    "configuration": "Configuration",
    "proxy": "The running proxy",
    "ports": "Ports",
    "gateway": "Gateway",
    "channels": "Channel list and corrections",
    "webhooks": "Webhooks",
    "spool": "Events stored for later",
    "alerts": "Alerts",
    "clock": "Clocks",
    "disk": "Stored state",
    "service": "Service",
}
LEVELS: Final[Mapping[str, str]] = {"ok": "ok", "note": "note", "warning": "warning", "problem": "PROBLEM"}
SUMMARY: Final[Mapping[str, str]] = {
    "ok": "Everything is in place.",
    "note": "Everything is in place.",
    "warning": "It works, with {warnings} warning(s).",
    "problem": "{problems} problem(s) and {warnings} warning(s): see the arrows.",
}
#: The same where some checks could not be made: then the summary says nothing about the whole site.
SUMMARY_IN_PART: Final[Mapping[str, str]] = {
    "ok": "Nothing wrong was found. Not checked: {unchecked}.",
    "note": "Nothing wrong was found. Not checked: {unchecked}.",
    "warning": "{warnings} warning(s). Not checked: {unchecked}.",
    "problem": "{problems} problem(s) and {warnings} warning(s): see the arrows. Not checked: {unchecked}.",
}

_THREE_WAYS: Final = """\
send the webhooks through the proxy. Choose the one of these three ways whose URL you can change \
(HOST is the address at which the sender reaches this machine; from a container often the docker bridge, such as \
172.17.0.1). \
Lines below that begin with `webhooks` go into config.yaml, in place of that block if it is there:
1. inbound, the best way: change the engine's webhook URL to {base}{inbound_path} instead of {gateway}{inbound_path} \
(a webhook given at start-session overrides the one of the environment). If you cannot change it, give the proxy the \
gateway's name on the docker network.{inbound_lines}
2. outbound: on the hub's settings page, change the gateway's webhook URL to {base}{outbound_path}; the proxy forwards \
to {outbound_to}. The engine's own events about a session do not come this way.{outbound_lines}
3. tap: a program that can send a copy posts it to {base}{tap_path}; nothing is forwarded.{tap_lines}"""

_SET_URL: Final = """\
in {title}, set the webhook URL to {url} (HOST is the address at which the gateway reaches this machine; from a \
container often the docker bridge, such as 172.17.0.1). One of these is enough:{set_url}"""

#: What the gateway's own words for a session's state mean (`config.layers.STATES`).
MEANINGS: Final[Mapping[str, str]] = {
    "connected": "connected",
    "starting": "starting",
    "connecting": "trying to connect",
    "scan": "waiting for the QR scan",
    "unscanned": "the QR code was not scanned",
    "action": "waiting for someone to act on the phone",
    "disconnected": "disconnected",
    "logged-out": "logged out",
    "stopped": "stopped",
    "failed": "failed",
    "banned": "banned by WhatsApp for a while",
    "outdated": "the gateway is too old for WhatsApp",
}

#: How the proxy is started, restarted and made to read its file again: by systemd, and where that does not run it.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "to_start": ("systemctl {user}start statusproxy", "`statusproxy run`, or start the container"),
    "to_restart": (
        "systemctl {user}restart statusproxy",
        "stop it and run it again, or restart the container",
    ),
    "to_reload": (
        "systemctl {user}reload statusproxy (or kill -HUP)",
        "kill -HUP with its process id, or docker kill --signal HUP with its container",
    ),
}

_SAY_FOR_WHOM: Final = """\
in nginx (docs/nginx.md): `proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;` where it passes requests on \
to statusproxy; then nginx -t && nginx -s reload. If only your own programs send requests through {peer}, \
leave it as it is"""

WORDS: Final[Words] = {
    # configuration
    "configuration.missing": (
        "no configuration file found (looked at {where})",
        "name it with --config; for a proxy without a file give --gateway; `statusproxy init` writes a file",
    ),
    "configuration.broken": ("{error}", "correct that line, then check the file with `statusproxy check`"),
    "configuration.valid": ("{file} is valid; gateway {gateway}, preset {preset}", None),
    "configuration.no-file": (
        "no configuration file, so the defaults are used; gateway {gateway}, preset {preset}",
        None,
    ),
    "configuration.no-events": (
        "{title} sends no event about its connections: nothing tells the proxy of a loss, and nothing is corrected",
        None,
    ),
    "configuration.no-webhooks": (
        "no webhook path is watched, so nothing is ever corrected",
        "write this into config.yaml, in place of `webhooks` if it is there:{lines}",
    ),
    "configuration.no-disconnect-rule": (
        "no event rule says `disconnected`, so nothing is ever corrected",
        "write this into config.yaml, in place of `events` if it is there:{lines}",
    ),
    "configuration.no-channels": (
        "no channel list is configured, so nothing is corrected",
        "write this into config.yaml, in place of `channels` if it is there:{lines}",
    ),
    "configuration.admin-off": ("the admin listener is off: no status page, no `statusproxy sessions`", None),
    "configuration.forgetful": (
        "state.url is memory: a restart forgets which sessions are lost, and the engine does not repeat these events",
        "write this into config.yaml, in place of `state` if it is there:{lines}",
    ),
    "configuration.jwt-package": ("{why}", "run that command; then start the proxy"),
    "configuration.alerts-package": ("{why}", "run that command; then start the proxy"),
    "configuration.trusts-any-sender": (
        "{path} trusts events from anywhere, without a secret: anybody can report a session as lost",
        (
            "narrow `from` to the engine's network, or set `secret`, `hmac`, `jwt` or `token`; to trust private "
            "networks only, write this into config.yaml, in place of `webhooks` if it is there:{lines}"
        ),
    ),
    "configuration.trusts-everybody": (
        "trusted_proxies contains every address: anybody can claim to come from any address",
        (
            "name only the proxies in front of this one; for those in private networks, write this into "
            "config.yaml, in place of `trusted_proxies` if it is there:{lines}"
        ),
    ),
    "configuration.presence-trusted": (
        "presence is `trust`: a contact that goes offline makes its session read disconnected",
        (
            "if this gateway also sends connection.update about contacts, write this into config.yaml, in "
            "place of `presence` if it is there:{lines}"
        ),
    ),
    # proxy
    "proxy.running": ("statusproxy {version} has been running for {since} (pid {pid})", None),
    "proxy.not-running": (
        "statusproxy does not run here (nothing answers at {admin}); what only a running proxy knows was not checked",
        "expected before the installation; after it: {to_start}",
    ),
    "proxy.admin-elsewhere": (
        (
            "a statusproxy serves {address}, but nothing answers at {admin}, the admin listener of this file; what "
            "only the running proxy knows was not checked"
        ),
        (
            "if `admin.listen` was changed in the file, that waits for a restart: {to_restart}. If it "
            "is another statusproxy, give each its own ports in `listen` and `admin.listen`"
        ),
    ),
    "proxy.cannot-be-asked": (
        "admin.listen is null in this file, so no running proxy was asked: webhooks and event ids were not checked",
        None,
    ),
    "proxy.does-not-tell": (
        "the program at {admin} does not answer like a running statusproxy: {why}",
        ("if it is another program, give admin.listen another port; if it is an older statusproxy, restart it"),
    ),
    "proxy.token-refused": (
        "the program at {admin} refuses the admin token of this configuration, so it could not be asked",
        (
            "if `admin` was changed in the file, restart: {to_restart}; else set admin.token to the "
            "one of the running proxy"
        ),
    ),
    "proxy.other-version": (
        "statusproxy {running} is still running, but {installed} is installed",
        "restart it: {to_restart}",
    ),
    "proxy.reload-pending": (
        "the running proxy uses other settings than the file has: {keys}",
        "{to_reload}; no request is dropped",
    ),
    "proxy.restart-pending": (
        "changed in the file, in force after a restart only: {keys}",
        "{to_restart}",
    ),
    "proxy.store-error": ("the running proxy cannot write its state: {why}", "look at the disk, below"),
    "proxy.state-damaged": (
        "the stored state was damaged: {what}",
        "compare `statusproxy sessions` with the phones; check the disk; then: statusproxy state acknowledge",
    ),
    "proxy.no-journal": (
        "changes that the state's server does not accept would be lost if the process ended: {why}",
        "set state.journal to a directory that the proxy can write to (docs/docker.md), and restart",
    ),
    "proxy.shares-state": ("{count} proxies share the state: {who}", None),
    "proxy.gateway-error": ("the running proxy cannot reach the gateway: {why}", "look at the gateway, below"),
    "proxy.unnamed-events": (
        (
            "{peer} forwards requests without the client's address (no X-Forwarded-For): {count} of them, {webhooks} "
            "to webhook paths, the last {last} ago. They count as its own, so anybody who reaches it can "
            "report a session as lost"
        ),
        _SAY_FOR_WHOM,
    ),
    "proxy.unnamed-clients": (
        (
            "{peer} forwards requests without the client's address (no X-Forwarded-For): {count} of them, the last "
            "{last} ago. An event that came this way from the internet would be trusted"
        ),
        _SAY_FOR_WHOM,
    ),
    "proxy.no-upgrade": (
        (
            "{count} WebSocket handshake(s) came through {peer} without Upgrade, the last {last} ago: they could "
            "not become WebSockets"
        ),
        (
            "in nginx (docs/nginx.md): `proxy_http_version 1.1;`, `proxy_set_header Upgrade $http_upgrade;` and "
            "`proxy_set_header Connection $connection_upgrade;` with its map; then nginx -t && "
            "nginx -s reload"
        ),
    ),
    # ports
    "ports.held": ("{address} is in use by the running proxy", None),
    "ports.held-by-systemd": ("{address} is opened by systemd (statusproxy.socket) and passed to the proxy", None),
    "ports.free": ("{address} is free", None),
    "ports.unserved": (
        "the running proxy does not listen on {address}, which is in the file",
        "restart it: a reload does not change `listen`",
    ),
    "ports.wider": (
        "the running proxy listens on {address}, which other machines can reach; that is not in the file",
        (
            "restart it: a reload does not change `listen`. systemd opens the sockets of the "
            "installed service: run install.sh again (Debian package: dpkg-reconfigure statusproxy)"
        ),
    ),
    "ports.held-unasked": (
        "{address} is in use by a statusproxy that could not be asked: {who}",
        (
            "if it is the one of this file, nothing is wrong; a change of `admin` that it does not know of waits for a "
            "restart ({to_restart})"
        ),
    ),
    "ports.another-of-us": (
        "{address} is in use by a statusproxy that is not the one asked: {who}",
        "stop one of the two, or give each its own ports and admin listener",
    ),
    "ports.taken": (
        "{address} is taken by another program: {who}",
        "choose another port in `listen`, or stop that program (sudo ss -ltnp shows it)",
    ),
    "ports.not-here": (
        "{address} is not an address of this machine",
        "write 0.0.0.0 with the port, or an address that `ip -br address` shows (a docker bridge needs docker to run)",
    ),
    "ports.privileged": (
        "{address} may not be used by this user",
        "use a port from 1024 on, run the doctor with sudo, or leave the port to systemd (statusproxy.socket)",
    ),
    "ports.unusable": ("{address} cannot be listened on: {why}", "correct `listen`"),
    "ports.this-machine-only": (
        (
            "only programs on this machine reach the proxy; containers and other machines (the engine, the hub) "
            "reach it only through a proxy in front"
        ),
        None,
    ),
    # gateway
    "gateway.reachable": (
        "{url} answers: connected in {connect}, GET {path} gave {status} in {answered}",
        None,
    ),
    "gateway.no-health": (
        "{url} answers (connected in {connect}), but has no health route: GET {path} gave {status}",
        None,
    ),
    "gateway.slow": (
        "{url} is slow: connected in {connect}, GET {path} gave {status} in {answered}",
        "look at the gateway's load; the hub's health check times out after 15 s",
    ),
    "gateway.ill": (
        "{url} reports an error: GET {path} gave {status}",
        "look at the gateway's own log (docker logs)",
    ),
    "gateway.unreachable": (
        "no connection to {url}: {why}",
        (
            "check that the gateway runs (docker ps). If its port is published on the docker bridge only, `gateway` is "
            "http://172.17.0.1:3000, not 127.0.0.1"
        ),
    ),
    "gateway.name-unknown": (
        "the name in {url} cannot be resolved: {why}",
        "a container's name resolves on its docker network only; write the address on which its port is published",
    ),
    "gateway.tls-failed": (
        "{url} is reached, but TLS fails: {why}",
        "set gateway_tls.ca to the authority's certificate, or gateway_tls.server_name to the name in the certificate",
    ),
    "gateway.no-tls": (
        "{url} is reached, but what listens there does not speak TLS",
        "write `gateway: {plain}`, or the port on which the gateway speaks TLS",
    ),
    "gateway.connect-slow": (
        "{url} does not accept a connection in time: {why}",
        (
            "a firewall may drop it, or the gateway hangs: try `curl -v` from this machine, and look at the gateway's "
            "own log (docker logs)"
        ),
    ),
    "gateway.queue-full": (
        "{url} accepts no connection, although a program listens there: it hangs, and its queue is full ({why})",
        "look at the gateway's own log (docker logs), then restart it (docker restart)",
    ),
    "gateway.no-http": (
        "{url} accepts connections, but gives no HTTP answer to GET {path}: {why}",
        "check that this is the gateway's port; it may need https://",
    ),
    "gateway.hangs": (
        "{url} accepts connections, but gave no answer to GET {path} within {seconds} s: it hangs",
        "look at the gateway's own log (docker logs), then restart it (docker restart): the hub has to wait as well",
    ),
    "gateway.is-us": (
        "at {url} a statusproxy answers, not the gateway",
        "set `gateway` to the address of the gateway itself, or requests loop",
    ),
    "gateway.hub-reachable": ("{url} accepts connections (in {connect})", None),
    "gateway.hub-unreachable": (
        "webhooks are forwarded to {url}, which accepts no connection: {why}",
        "correct webhooks[].forward_to, or find out why the hub cannot be reached",
    ),
    # channels
    "channels.fits": (
        "{path}: {count} {count:channel|channels} in {where}, their status in {members}; took {took}",
        None,
    ),
    "channels.empty": ("{path}: the list in {where} is empty, so the fields of a channel were not checked", None),
    "channels.secret-wanted": (
        "{path} needs a secret ({status}); the list was not checked",
        "give it with --secret-file FILE, or in STATUSPROXY_GATEWAY_SECRET (header {header}; another: --secret-header)",
    ),
    "channels.secret-wrong": (
        "{path} refuses the secret given in {header} ({status}); the list was not checked",
        (
            "compare it with the gateway's own; --secret-header names another header. The proxy itself "
            "needs no secret: it forwards what the hub sends"
        ),
    ),
    "channels.missing": (
        "{path} does not exist on the gateway ({status})",
        (
            "set channels[].path to the list's path; a base path of the gateway belongs in `gateway` "
            "(http://host:3000/base)"
        ),
    ),
    "channels.not-served": ("{path} does not exist on this gateway ({status}), so there is nothing to correct", None),
    "channels.refused": ("{path} gave {status}", "look at the gateway's own log (docker logs)"),
    "channels.no-answer": (
        "{path} gave no answer: {why}",
        "the gateway asks the engine for each session in turn; look at timeouts.response_head and the engine's log",
    ),
    "channels.hangs": (
        "{path} gave no answer within {seconds} s; the hub's health check gives up after 15 s, its page after 90 s",
        "the gateway asks the engine for each session in turn; look at the engine's load and the gateway's log",
    ),
    "channels.too-large": (
        "{path} is larger than limits.corrected ({limit} bytes): it is forwarded uncorrected",
        "write this into config.yaml, in place of `limits` if it is there:{lines}",
    ),
    "channels.coded": (
        "{path} has a compression that cannot be decoded ({why}): it is forwarded uncorrected",
        "configure the gateway to send it uncompressed, or install the Python packages brotli and backports.zstd",
    ),
    "channels.not-json": (
        "{path} is not JSON but {type}: it is forwarded uncorrected",
        "check the list's path and `gateway`; a login page in HTML means that a secret is missing",
    ),
    "channels.too-deep": (
        "{path} is nested too deep to be read: it is forwarded uncorrected",
        "check the list's path and `gateway`; no known gateway answers so",
    ),
    "channels.list-elsewhere": (
        "{path} has no list in {configured}, but one under {found}: it is forwarded uncorrected",
        "write this into config.yaml, in place of `channels` if it is there:{lines}",
    ),
    "channels.other-preset": (
        "{path} is not the list of `preset: {preset}`, but looks like that of {title}: it is forwarded uncorrected",
        "write `preset: {other}` into config.yaml, in place of `preset: {preset}`, and restart the proxy",
    ),
    "channels.no-list": (
        "{path} has no list in {configured}: it is forwarded uncorrected. Its fields: {members}",
        "set channels[].list to the field that holds the list, or channels[].path to another path",
    ),
    "channels.no-ids": (
        "{path}: no channel has an id under {configured}: nothing is corrected. Their fields: {members}",
        "write this into config.yaml, in place of `channels` if it is there:{lines}",
    ),
    "channels.no-id-member": (
        (
            "{path}: no channel has an id under {configured}, and no field looks like one: nothing is corrected. "
            "Their fields: {members}"
        ),
        "set channels[].id to the field that holds the id, or channels[].list to another list",
    ),
    "channels.some-nameless": (
        (
            "{path}: {nameless} of {count} {count:channel has|channels have} no id under the fields configured: "
            "these are never "
            "corrected. Their fields: {members}"
        ),
        "write this into config.yaml, in place of `channels` if it is there:{lines}",
    ),
    "channels.some-no-id-member": (
        (
            "{path}: {nameless} of {count} {count:channel has|channels have} no id, and no field that looks like "
            "one: these are never "
            "corrected. Their fields: {members}"
        ),
        "look at these channels in the gateway's answer; if a field holds the id, add it to channels[].id",
    ),
    "channels.no-status": (
        "{path}: no channel has any of {configured}: nothing is corrected. Their fields: {members}",
        "write this into config.yaml, in place of `channels` if it is there:{lines}",
    ),
    "channels.no-status-member": (
        (
            "{path}: no channel has any of {configured}, and no field looks like a status: nothing is corrected. "
            "Their fields: {members}"
        ),
        "set the field that holds the status in channels[].set, or channels[].list to another list",
    ),
    "channels.some-without-status": (
        (
            "{path}: {bare} of {count} {count:channel has|channels have} none of the status fields configured: "
            "these are never "
            "corrected. Their fields: {members}"
        ),
        "write this into config.yaml, in place of `channels` if it is there:{lines}",
    ),
    "channels.some-no-status-member": (
        (
            "{path}: {bare} of {count} {count:channel has|channels have} no status, and no field that looks like "
            "one: these are never "
            "corrected. Their fields: {members}"
        ),
        "look at these channels in the gateway's answer; if a field holds the status, add it to channels[].set",
    ),
    "channels.strange-words": (
        (
            "{path}: the gateway says {words}, which is neither in `connected` nor in `keep`: a correction would "
            "never end by itself"
        ),
        "add the word for connected to channels[].connected, and more exact words for disconnected to channels[].keep",
    ),
    "channels.words": ("{path} says {words}", None),
    "channels.single-fits": ("{path}: the answer about {session} has its status in {members}", None),
    "channels.single-fits-in-part": (
        "{path}: the answer about {session} has its status in {members}; it has no {missing}",
        None,
    ),
    "channels.single-no-object": (
        "{path} has no session in {configured}: it is forwarded uncorrected. Its fields: {members}",
        "set channels[].list of this path to the field that holds the session",
    ),
    "channels.single-no-id": (
        "{path} names no session under {configured}: it is forwarded uncorrected. Its fields: {members}",
        "set channels[].id of this path to the field that holds the session's id",
    ),
    "channels.single-no-status": (
        "{path} has none of {configured}: it is forwarded uncorrected. Its fields: {members}",
        "set the field that holds the status in channels[].set of this path",
    ),
    "channels.single-refused": ("{path} gave {status}, so the shape of its answer was not checked", None),
    "channels.single-no-session": ("{path} was not checked: no session is known to ask about", None),
    "channels.single-with-secret": ("{path} was not checked: a session's secret is in the path", None),
    "channels.slow": (
        "{path} took {took}; the hub's health check gives up after 15 s, its page after 90 s",
        "the gateway asks the engine for each session in turn; look at the engine's load",
    ),
    "channels.rehearsal": (
        "nothing is corrected now; if {channel} were lost, the list would say: {change}",
        None,
    ),
    "channels.rehearsal-unasked": (
        (
            "what is corrected now is not known, as no running proxy could be asked; if {channel} were lost, the list "
            "would say: {change}"
        ),
        None,
    ),
    "channels.corrected": ("{session} is corrected: {change} (since {since}, {why})", None),
    "channels.kept": (
        "{session} is lost (since {since}, {why}); the gateway says so itself, so nothing is changed",
        None,
    ),
    "channels.about-to-end": (
        "{session}: the gateway has noticed the loss, and now says connected; the correction ends with the next list",
        None,
    ),
    "channels.transient": (
        "{session}: {word}; nothing is corrected yet. It is shown as lost from {due} on if this lasts",
        None,
    ),
    "channels.more-transient": ("… and {count} more {count:session is|sessions are} in such a state", None),
    "channels.way-back": ("to bring a lost session back, ask {title} for: {routes}", None),
    "channels.more-corrected": ("… and {count} more {count:session is|sessions are} corrected", None),
    "channels.ids-match": (
        "{count:the session that events name is|all sessions that events name are} in the channel list ({count})",
        None,
    ),
    "channels.id-alias": (
        "events name sessions that are not in the channel list, but like one: {sessions}",
        "if they are the same, write this into config.yaml, in place of `sessions` if it is there:{lines}",
    ),
    "channels.id-unknown": (
        "{count} session(s) that events name are not in the channel list, nor like one in it: {sessions}",
        (
            "remove deleted ones: statusproxy forget -- {first} …; add a session that has another name in the list to "
            "sessions.aliases in config.yaml"
        ),
    ),
    "channels.ambiguous": (
        "events name {session}, and several channels differ from it only in case and spaces: {channels}",
        "write this into config.yaml, in place of `sessions` if it is there, with the channel that is meant:{lines}",
    ),
    "channels.unheard": ("no event about {channels} so far: the list shows what the gateway says", None),
    "channels.not-checked": ("the channel list was not checked, since the gateway does not answer", None),
    # webhooks
    "webhooks.not-asked": (
        (
            "only the running proxy knows whether webhooks arrive; a statusproxy uses the port, but its admin "
            "listener could not be asked with this file"
        ),
        None,
    ),
    "webhooks.not-known": (
        "only a running proxy knows whether webhooks arrive; start it, then run the doctor again",
        _THREE_WAYS.replace("send the webhooks through", "the webhooks have to go through", 1),
    ),
    "webhooks.none": ("no webhook has arrived in {up}: the webhooks do not go through the proxy", _THREE_WAYS),
    "webhooks.not-known-yet": (
        "only a running proxy knows whether webhooks arrive; start it, then run the doctor again",
        _SET_URL,
    ),
    "webhooks.none-posted": (
        "no webhook has arrived in {up}: {title} does not post them to the proxy",
        _SET_URL,
    ),
    "webhooks.none-yet": (
        "no webhook has arrived in the {up} since the start, which is too short to tell",
        "run the doctor again in a few minutes",
    ),
    "webhooks.none-since-reload": (
        (
            "{count} {count:webhook|webhooks} came before the configuration was changed, none since; run the doctor "
            "again after the next one"
        ),
        None,
    ),
    "webhooks.none-any-more": (
        "webhooks have stopped: the last came {last} ago, and none since the proxy started {up} ago",
        (
            "check that the engine runs, and that its webhook URL is still {base}{inbound_path}. A container that was "
            "created again may have lost it (docs/docker.md)"
        ),
    ),
    "webhooks.path-silent": (
        "webhooks to {path} have stopped ({count} came, the last {last} ago), but others still come",
        "check that the sender of {path} still runs, and still has this URL",
    ),
    "webhooks.seen": (
        (
            "{count} {count:webhook|webhooks} trusted in {up}, the last {last} ago, from {senders}; requests by "
            "path: {paths}"
        ),
        None,
    ),
    "webhooks.silent": (
        (
            "{count} {count:webhook|webhooks} trusted in {up}, but the last is {last} old (from {senders}; "
            "requests by path: {paths})"
        ),
        (
            "check that the engine runs, and that its webhook URL is still the proxy's: a session with contacts sends "
            "some presence events a minute"
        ),
    ),
    "webhooks.presence-only": (
        (
            "{count} {count:event|events} came, all about contacts (presence), none about a session: a lost "
            "session would not be noticed"
        ),
        (
            "wait for a message to come in, and run the doctor again. If nothing changes, only the gateway's outbound "
            "webhooks arrive: have the engine post to {base}{inbound_path} too, or add the gateway's event to `events`"
        ),
    ),
    "webhooks.outbound-only": (
        (
            "only the webhooks to the hub arrive; the gateway does not forward the engine's events about the "
            "session itself (status-find) to it"
        ),
        "have the engine post to {base}{inbound_path}, instead of {gateway}{inbound_path}{inbound_lines}",
    ),
    "webhooks.nothing-said": (
        (
            "{count} {count:webhook|webhooks} came, and none says anything about a session's connection (unknown "
            "names: {events})"
        ),
        "wait for a message to come in, and run the doctor again; then compare `events` with what this gateway sends",
    ),
    "webhooks.unmatched": ("events without a rule, which are ignored: {events}", None),
    "webhooks.nameless": (
        (
            "{count} {count:event|events} with a state that a rule knows named no session: {events}. Nothing "
            "tells whose state it "
            "is: a lost session stays connected in the list, or a session that is back stays disconnected until a "
            "message comes in"
        ),
        (
            "give each session a webhook URL of its own, such as {base}{session_path} with its id in place of "
            "{placeholder} (for wppconnect-server: `webhook` of start-session), and watch that path:{session_lines}"
        ),
    ),
    "webhooks.nameless-elsewhere": (
        (
            "{count} {count:event|events} with a state that a rule knows named no session: {events}. Nothing "
            "tells whose state it "
            "is: a lost session stays connected in the list, or a session that is back stays disconnected until a "
            "message comes in"
        ),
        (
            "{session_path} is watched, which takes the session from the path, but these events came elsewhere: give "
            "each session the webhook URL {base}{session_path} with its id in place of {placeholder} (for "
            "wppconnect-server: `webhook` of start-session)"
        ),
    ),
    "webhooks.no-session": ("{count} {count:event|events} named no session; {count:it is|they are} ignored", None),
    "webhooks.not-json": (
        "{count} {count:webhook was|webhooks were} not JSON",
        "find out who posts to the watched paths (`webhooks[].path`)",
    ),
    "webhooks.too-deep": (
        "{count} {count:webhook was|webhooks were} nested too deep to be read",
        "find out who posts to the watched paths (`webhooks[].path`)",
    ),
    "webhooks.idle-paths": ("nothing was posted to {paths} since the start", None),
    "webhooks.path-unknown": (
        (
            "{count} of {all} {all:webhook|webhooks} to {path} {count:was|were} refused by {count:its|their} "
            "receiver: {statuses}"
        ),
        (
            "the receiver does not know this path: compare webhooks[].path and forward_to with it. The proxy reads "
            "these events anyway"
        ),
    ),
    "webhooks.path-failing": (
        "{count} of {all} {all:webhook|webhooks} to {path} could not be delivered: {statuses}",
        "look at the receiver; the proxy reads these events anyway",
    ),
    "webhooks.forged": (
        "{count} {count:event from outside was|events from outside were} not trusted, as intended: {senders}",
        None,
    ),
    "webhooks.doubted-network": (
        (
            "{count} {count:event was|events were} not trusted, since {count:its sender is|their senders are} "
            "not in webhooks[].from: {senders}"
        ),
        (
            "if these are the engine or the gateway, add their addresses to webhooks[].from, in the block "
            "`webhooks`{lines}"
        ),
    ),
    "webhooks.doubted-secret": (
        "{count} {count:event was|events were} not trusted, since the secret's header was missing or wrong: {senders}",
        "compare webhooks[].secret with the sender's",
    ),
    "webhooks.doubted-signature": (
        (
            "{count} {count:event was|events were} not trusted, since {count:its|their} signature was missing or "
            "wrong: {senders}"
        ),
        "compare webhooks[].hmac (secret, algorithm, prefix, encoding) with the sender's",
    ),
    "webhooks.doubted-jwt": (
        (
            "{count} {count:event was|events were} not trusted, since {count:its|their} JSON Web Token was "
            "missing, wrong or expired: {senders}"
        ),
        "compare webhooks[].jwt (header, secret) with the sender's, which signs with HS256, and both machines' clocks",
    ),
    "webhooks.doubted-token": (
        (
            "{count} {count:event was|events were} not trusted, since the token in {count:its|their} body was "
            "missing or wrong: {senders}"
        ),
        "compare webhooks[].token (field, value) with what the sender's bodies carry",
    ),
    "webhooks.only-doubted-network": (
        "webhooks arrive ({count}), but none is trusted: their senders are not in webhooks[].from: {senders}",
        (
            "if they came through a proxy of yours, see trusted_proxies; if these are the engine or the gateway, add "
            "their addresses to webhooks[].from, in the block `webhooks`{lines}"
        ),
    ),
    "webhooks.only-doubted-secret": (
        "webhooks arrive ({count}), but none is trusted: the secret's header is missing or wrong ({senders})",
        "compare webhooks[].secret with the sender's; the engine itself sends none",
    ),
    "webhooks.only-doubted-signature": (
        "webhooks arrive ({count}), but none is trusted: the signature is missing or wrong ({senders})",
        "compare webhooks[].hmac (secret, algorithm, prefix, encoding) with the sender's",
    ),
    "webhooks.only-doubted-jwt": (
        "webhooks arrive ({count}), but none is trusted: their JSON Web Token is missing, wrong or expired ({senders})",
        "compare webhooks[].jwt (header, secret) with the sender's, which signs with HS256, and both machines' clocks",
    ),
    "webhooks.only-doubted-token": (
        "webhooks arrive ({count}), but none is trusted: the token in their body is missing or wrong ({senders})",
        "compare webhooks[].token (field, value) with what the sender's bodies carry",
    ),
    "webhooks.untrusted-proxy": (
        "{peers} forwards for others (X-Forwarded-For), but is not in trusted_proxies: it counts as the client itself",
        "if it is a proxy of yours, write this into config.yaml, in place of `trusted_proxies` if it is there:{lines}",
    ),
    "webhooks.by-address": (
        (
            "events from {peers} are trusted for that address alone; a proxy in front, or a port that Docker "
            "publishes, shows at the same address"
        ),
        (
            "if only your own programs post from there, leave it as it is. A proxy in front has to send "
            "X-Forwarded-For (docs/nginx.md). Else set `secret`, `hmac`, `jwt` or `token`, which trust no one for an "
            "address"
        ),
    ),
    "webhooks.claims-from-outside": (
        (
            "{peers}, from outside, claims to forward for others (X-Forwarded-For) and is not trusted; if that is a "
            "proxy of yours, add it to trusted_proxies"
        ),
        None,
    ),
    # spool
    "spool.off": (
        (
            "events that the gateway does not accept are not stored: engines send each event once, so while it "
            "restarts, messages are lost"
        ),
        "to store them, set `spool: true` on the webhook's path (docs/spool.md explains it)",
    ),
    "spool.on": ("events that the receiver does not accept are stored: {paths}", None),
    "spool.no-place": (
        "spool: true on {paths} has no effect: events are stored with the state, and this state.url stores none",
        "write this into config.yaml, in place of `state` if it is there, and restart:{lines}",
    ),
    "spool.away": (
        (
            "{receiver} has accepted no events for {since}; they are stored, and one of them is tried after {first} s, "
            "{second} s, then every {last} s; the gateway gets one as soon as it can be reached again"
        ),
        "find out why it accepts none (docker ps, docker logs); when it is back, all are delivered in order",
    ),
    "spool.waits": ("{count} event(s) wait to be delivered, the oldest for {since}", None),
    "spool.waits-long": (
        "{count} event(s) wait to be delivered, the oldest for {since}; after {max_age} each is dropped",
        "`statusproxy spool list` says why they are not accepted",
    ),
    "spool.unanswered": (
        (
            "{count} event(s) were sent and not answered, so no one knows whether they arrived; after {max_age} each "
            "is dropped"
        ),
        (
            "`statusproxy spool list --state unknown`; look whether the gateway has the message, then `statusproxy "
            "spool replay ID` (it may arrive twice) or `statusproxy spool drop ID`"
        ),
    ),
    "spool.dead": (
        "{count} event(s) are refused by their receiver each time; after {max_age} each is dropped",
        (
            "`statusproxy spool list --state dead` shows the status; when the receiver is fixed: statusproxy spool "
            "replay --state dead"
        ),
    ),
    "spool.nearly-full": (
        "the spool is {percent} % full; when it is full, new events are answered as without a spool, and may be lost",
        "find out why events are not delivered (statusproxy spool list), or raise spool.max_entries or spool.max_bytes",
    ),
    # alerts
    "alerts.off": (
        "nobody is told when a session is lost: no alerts are configured",
        "write a block `alerts` into config.yaml (docs/alerts.md says how: Telegram, e-mail, ntfy, webhooks)",
    ),
    "alerts.on": (
        "operators are told through {targets}; `statusproxy doctor --send` sends each a test message",
        None,
    ),
    "alerts.heartbeat-only": ("nobody is alerted about lost sessions: alerts have a heartbeat and no target", None),
    "alerts.failing": (
        "the last message did not reach {target}: {error} ({waiting} {waiting:message waits|messages wait})",
        "fix the address in alerts.to, or the receiver; then `statusproxy alerts test --to {number}`",
    ),
    "alerts.not-written": (
        "sent alerts are not being saved now, so they may be sent again after a restart",
        "the findings about the stored state say why",
    ),
    "alerts.heartbeat-failing": (
        "no heartbeat was answered since the start ({failed} failed, {withheld} were withheld)",
        "check the URL in alerts.heartbeat, and that this machine reaches it; the log says what it answers",
    ),
    "alerts.test-sent": ("a test message reached {target}", None),
    "alerts.test-failed": (
        "a test message did not reach {target}: {error}",
        "fix the address in alerts.to, or the receiver; then try again with `statusproxy doctor --send`",
    ),
    "alerts.heartbeat-answered": ("the heartbeat's monitor answers", None),
    "alerts.heartbeat-failed": (
        "the heartbeat's monitor does not accept it: {error}",
        "check the URL in alerts.heartbeat, and that this machine reaches it",
    ),
    # clock
    "clock.gateway": ("the gateway's clock agrees with this machine's", None),
    "clock.gateway-silent": ("the gateway sends no time (no Date), so the clocks were not compared", None),
    "clock.gateway-off": (
        "the gateway's clock differs from this machine's by {seconds} s: events may be put in the wrong order",
        "synchronise both: timedatectl set-ntp true",
    ),
    "clock.events": ("the times in the events agree with the clock (last {count} {count:event|events})", None),
    "clock.events-off": (
        "the times in the events differ from the clock by at least {seconds} s (last {count} {count:event|events})",
        "synchronise the sender's machine: timedatectl set-ntp true",
    ),
    "clock.events-ahead": (
        "{count} {count:event was|events were} dated more than 5 minutes ahead; such times only order the events",
        "synchronise the sender's machine and this one: timedatectl set-ntp true",
    ),
    # disk
    "disk.works": ("the running proxy writes to {path}; {free} free", None),
    "disk.in-use": ("the running proxy writes to {path}", None),
    "disk.writable": ("{path} can be written; {free} free", None),
    "disk.not-seen": ("this user has no access to {path} ({why}); run the doctor with sudo", None),
    "disk.not-writable": (
        "{path} cannot be written by this user ({needed})",
        "run the proxy as the user who owns it, or correct state.url; the systemd unit has its own folder",
    ),
    "disk.state-damaged": (
        "the stored state was damaged: {what}",
        "check the disk; once the proxy runs: statusproxy state acknowledge",
    ),
    "disk.low": (
        "only {free} free at {folder}",
        "free some space: while the disk is full, changes are kept in memory only",
    ),
    "disk.full": (
        "no space at {folder} ({free} free): a restart would lose what was not written",
        "free some space there, or move the state with state.url",
    ),
    "disk.redis-works": ("the running proxy writes to {place}", None),
    "disk.redis-reachable": ("{place}: the server can be reached", None),
    "disk.redis-package": ("{why}", "run that command; then start the proxy"),
    "disk.redis-unreachable": (
        "{why}",
        "until the server can be used, the proxy keeps changes in its journal (docs/redis.md)",
    ),
    "disk.redis-not-seen": (
        "the running proxy writes its state, but from here: {why}",
        "compare state.url and the secrets in it with those of the running proxy; run the doctor as root",
    ),
    "disk.redis-risk": (
        "{place}: {what}",
        "set on that server: appendonly yes, appendfsync always, maxmemory-policy noeviction (docs/redis.md)",
    ),
    "disk.journal-writable": (
        "{directory}: the journal for changes that the server does not accept can be written",
        None,
    ),
    "disk.journal-off": (
        "state.journal is null: changes that the server does not accept are lost when the process ends",
        "remove `journal: null`; the journal is then kept in the directory of a state.db",
    ),
    "disk.journal-not-writable": (
        "the journal cannot be written in {directory} by this user",
        "set state.journal to a directory that the proxy can write to; the systemd unit has its own",
    ),
    # service
    "service.no-systemd": ("this machine does not use systemd; restarts of the proxy were not checked", None),
    "service.not-installed": (
        "statusproxy is not installed as a service (docs/debian.md and docs/runbook.md tell how)",
        None,
    ),
    "service.unasked": ("systemd could not be asked about the service by this user", "run the doctor with sudo"),
    "service.active": ("statusproxy.service is {state}: {said}", None),
    "service.starting": (
        "statusproxy.service is starting ({sub})",
        "if it takes long: journalctl -u statusproxy -n 50",
    ),
    "service.failed": (
        "statusproxy.service has failed ({result})",
        "journalctl {user}-u statusproxy -n 50 says why; then systemctl {user}restart statusproxy",
    ),
    "service.stopped": (
        "statusproxy.service is not running ({state})",
        "systemctl {user}start statusproxy",
    ),
    "service.not-enabled": (
        "statusproxy.service does not start at boot",
        "systemctl {user}enable statusproxy",
    ),
    "service.restarts": (
        "systemd has restarted statusproxy.service {restarts} time(s)",
        "journalctl {user}-u statusproxy -p warning says why",
    ),
    "service.socket-inactive": (
        "statusproxy.socket is {state}: a restart refuses connections",
        "systemctl enable statusproxy.socket; systemctl restart statusproxy",
    ),
    "service.no-linger": (
        "the service belongs to {user}, and stops when {user} logs out",
        "sudo loginctl enable-linger {user}; or install it system-wide: sudo ./systemd/install.sh",
    ),
}
