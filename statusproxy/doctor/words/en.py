"""The doctor's words in English: for each code what was found, and the mend where one is called for."""

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
#: The same where not all could be checked: then nothing is said of the whole.
SUMMARY_IN_PART: Final[Mapping[str, str]] = {
    "ok": "Nothing wrong was found. Not checked: {unchecked}.",
    "note": "Nothing wrong was found. Not checked: {unchecked}.",
    "warning": "{warnings} warning(s). Not checked: {unchecked}.",
    "problem": "{problems} problem(s) and {warnings} warning(s): see the arrows. Not checked: {unchecked}.",
}

_THREE_WAYS: Final = """\
let the webhooks pass the proxy, by the one of three ways whose URL you can change \
(HOST is this machine as the sender reaches it; from a container often the docker bridge, such as 172.17.0.1). \
Lines below that begin with `webhooks` go into config.yaml, in place of that block if it is there:
1. inbound, the best: the engine's webhook URL becomes {base}{inbound_path} instead of {gateway}{inbound_path} \
(a webhook given at start-session beats the environment's). Where it cannot be changed, give the proxy the \
gateway's name on the docker network.{inbound_lines}
2. outbound: on the hub's settings page, the gateway's webhook URL becomes {base}{outbound_path}, which goes on to \
{outbound_to}. The engine's own word on a session does not come this way.{outbound_lines}
3. tap: whoever can send a copy posts it to {base}{tap_path}; nothing is forwarded.{tap_lines}"""

_SAY_FOR_WHOM: Final = """\
in nginx (docs/nginx.md): `proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;` where it passes requests on \
to statusproxy; then nginx -t && systemctl reload nginx. If only your own programs ask through {peer}, leave it as it \
is"""

WORDS: Final[Words] = {
    # configuration
    "configuration.broken": ("{error}", "mend that line; `statusproxy check` says whether it holds"),
    "configuration.valid": ("{file} is valid; gateway {gateway}, preset {preset}", None),
    "configuration.no-file": ("no configuration file, the defaults serve; gateway {gateway}, preset {preset}", None),
    "configuration.no-webhooks": (
        "no webhook path is watched, so nothing can ever be corrected",
        "write this into config.yaml, in place of `webhooks` if it is there:{lines}",
    ),
    "configuration.no-disconnect-rule": (
        "no event rule says `disconnected`, so nothing can ever be corrected",
        "write this into config.yaml, in place of `events` if it is there:{lines}",
    ),
    "configuration.no-channels": (
        "no channel list is named, so nothing is corrected",
        "write this into config.yaml, in place of `channels` if it is there:{lines}",
    ),
    "configuration.admin-off": ("the admin listener is off: no status page, no `statusproxy sessions`", None),
    "configuration.forgetful": (
        "state.url is memory: every restart forgets which sessions are lost, and the engine does not repeat itself",
        "write this into config.yaml, in place of `state` if it is there:{lines}",
    ),
    "configuration.believes-everybody": (
        "{path} believes events from anywhere, without a secret: anybody can declare a session lost",
        (
            "narrow `from` to the engine's network, or set `secret` or `hmac`; to trust private networks only, "
            "write this into config.yaml, in place of `webhooks` if it is there:{lines}"
        ),
    ),
    "configuration.trusts-everybody": (
        "trusted_proxies takes in every address: anybody can claim to come from any address",
        (
            "name only the proxies in front of this one; for those in private networks, write this into "
            "config.yaml, in place of `trusted_proxies` if it is there:{lines}"
        ),
    ),
    "configuration.presence-trusted": (
        "presence is `trust`: a contact that goes offline makes the session read disconnected",
        (
            "unless this gateway's connection.update is never about a contact, write this into config.yaml, in "
            "place of `presence` if it is there:{lines}"
        ),
    ),
    # proxy
    "proxy.running": ("statusproxy {version} runs (pid {pid}), for {since}", None),
    "proxy.not-running": (
        "statusproxy does not run here (nothing answers at {admin}); what only a running proxy knows was not checked",
        "before the installation that is as it should be; after it: systemctl start statusproxy",
    ),
    "proxy.cannot-be-asked": (
        "the admin listener is off, so the running proxy could not be asked: webhooks and event ids were not checked",
        None,
    ),
    "proxy.does-not-tell": (
        "what answers at {admin} does not tell of a running proxy: {why}",
        ("if that is another program, give admin.listen another port; if it is an older statusproxy, restart it"),
    ),
    "proxy.token-refused": (
        "what answers at {admin} refuses the admin token of this configuration, so it could not be asked",
        (
            "if `admin` was changed in the file, restart: systemctl restart statusproxy; else set admin.token as the "
            "running proxy has it"
        ),
    ),
    "proxy.other-version": (
        "statusproxy {running} still runs, {installed} is installed",
        "restart it: systemctl restart statusproxy",
    ),
    "proxy.reload-pending": (
        "the running proxy goes by other settings than the file says: {keys}",
        "systemctl reload statusproxy (or kill -HUP); no request is dropped",
    ),
    "proxy.restart-pending": (
        "changed in the file and waiting for a restart: {keys}; until then the old values are in force",
        "systemctl restart statusproxy",
    ),
    "proxy.store-trouble": ("the running proxy cannot write its state: {why}", "look at the disk, below"),
    "proxy.state-damaged": (
        "the stored state was damaged: {what}",
        "compare `statusproxy sessions` with the phones; look for a failing disk; then: statusproxy state acknowledge",
    ),
    "proxy.no-journal": (
        "changes that the state's server does not take would be lost with the process: {why}",
        "name a directory that can be written in state.journal (docs/docker.md), and restart",
    ),
    "proxy.gateway-trouble": ("the running proxy cannot reach the gateway: {why}", "look at the gateway, below"),
    "proxy.unnamed-events": (
        (
            "{peer} passes requests on and does not say for whom (no X-Forwarded-For): {count} of them, {webhooks} "
            "to webhook paths, the last {last} ago. They count as its own, so that anybody who reaches it can "
            "declare a session lost"
        ),
        _SAY_FOR_WHOM,
    ),
    "proxy.unnamed-clients": (
        (
            "{peer} passes requests on and does not say for whom (no X-Forwarded-For): {count} of them, the last "
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
            "`proxy_set_header Connection $connection_upgrade;` with its map; then nginx -t && systemctl reload "
            "nginx"
        ),
    ),
    # ports
    "ports.held": ("{address} is held by the running proxy", None),
    "ports.held-by-systemd": ("{address} is held by systemd (statusproxy.socket), and handed to the proxy", None),
    "ports.free": ("{address} is free", None),
    "ports.unserved": (
        "the running proxy does not listen on {address}, which the file names",
        "restart it: a change of `listen` does not take effect with a reload",
    ),
    "ports.wider": (
        "the running proxy listens on {address}, which other machines can reach; the file does not say so",
        (
            "restart it: a change of `listen` does not take effect with a reload. systemd holds the sockets of the "
            "installed service: run install.sh once more"
        ),
    ),
    "ports.another-of-us": (
        "{address} is held by a statusproxy that is not the one asked: {who}",
        "stop one of the two, or give them ports and admin listeners of their own",
    ),
    "ports.taken": (
        "{address} is taken by another program: {who}",
        "choose another port in `listen`, or stop that program (sudo ss -ltnp shows it)",
    ),
    "ports.not-here": (
        "{address} is no address of this machine",
        "write 0.0.0.0 with the port, or an address that `ip -br address` shows (a docker bridge appears with docker)",
    ),
    "ports.privileged": (
        "{address} may not be used by this user",
        "use a port from 1024 on, run the doctor with sudo, or leave the port to systemd (statusproxy.socket)",
    ),
    "ports.unusable": ("{address} cannot be listened on: {why}", "correct `listen`"),
    "ports.this-machine-only": (
        (
            "only programs on this machine reach the proxy; containers and other machines (the engine, the hub) do "
            "not, unless something in front passes their requests on"
        ),
        None,
    ),
    # gateway
    "gateway.reachable": (
        "{url} answers: connected in {connect}, GET {path} gave {status} in {answered}",
        None,
    ),
    "gateway.no-health": (
        "{url} answers (connected in {connect}), but knows no health route: GET {path} gave {status}",
        None,
    ),
    "gateway.slow": (
        "{url} is slow: connected in {connect}, GET {path} gave {status} in {answered}",
        "look at the gateway's load; the hub gives its health check 15 s",
    ),
    "gateway.ill": (
        "{url} is not well: GET {path} gave {status}",
        "look at the gateway's own log (docker logs)",
    ),
    "gateway.unreachable": (
        "no connection to {url}: {why}",
        (
            "is the gateway up (docker ps)? A container's port may be published on the docker bridge only: then "
            "`gateway` is http://172.17.0.1:3000, not 127.0.0.1"
        ),
    ),
    "gateway.name-unknown": (
        "the name in {url} is not known here: {why}",
        "a container's name is known on its docker network only; write the address its port is published on",
    ),
    "gateway.tls-failed": (
        "{url} is reached, but TLS fails: {why}",
        "set gateway_tls.ca to the authority's certificate, or gateway_tls.server_name to the name it is made for",
    ),
    "gateway.connect-slow": (
        "{url} does not take a connection in time: {why}",
        (
            "a firewall may drop it, or the gateway hangs: see whether `curl -v` from this machine gets through, and "
            "look at the gateway's own log (docker logs)"
        ),
    ),
    "gateway.queue-full": (
        "{url} takes no connection, though something listens there: it hangs, and its queue is full ({why})",
        "look at the gateway's own log (docker logs), then restart it (docker restart)",
    ),
    "gateway.no-http": (
        "{url} takes connections, but gives no HTTP answer to GET {path}: {why}",
        "is that the gateway's port? It may want https://",
    ),
    "gateway.hangs": (
        "{url} takes connections, but gave no answer to GET {path} within {seconds} s: it hangs",
        "look at the gateway's own log (docker logs), then restart it (docker restart): the hub waits there as well",
    ),
    "gateway.is-us": (
        "at {url} a statusproxy answers, not the gateway",
        "`gateway` must name the gateway itself, or requests go round in circles",
    ),
    "gateway.hub-reachable": ("{url} takes connections (in {connect})", None),
    "gateway.hub-unreachable": (
        "webhooks are sent on to {url}, which takes no connection: {why}",
        "correct webhooks[].forward_to, or see why the hub cannot be reached",
    ),
    # channels
    "channels.fits": (
        "{path}: {count} channels under {where}, their status under {members}; took {took}",
        None,
    ),
    "channels.empty": ("{path}: a list under {where}, but it is empty: what is in a channel was not checked", None),
    "channels.secret-wanted": (
        "{path} wants a secret ({status}); the list was not checked",
        "say it with --secret-file FILE, or in STATUSPROXY_GATEWAY_SECRET (header {header}; another: --secret-header)",
    ),
    "channels.secret-wrong": (
        "{path} refuses the secret given in {header} ({status}); the list was not checked",
        (
            "compare it with the gateway's own; another header's name goes with --secret-header. The proxy itself "
            "needs none: it passes on what the hub sends"
        ),
    ),
    "channels.missing": (
        "{path} is not known to the gateway ({status})",
        "name the list's path in channels[].path; is {path} behind a base path, as in http://host:3000/base?",
    ),
    "channels.not-served": ("{path} is not known to this gateway ({status}); nothing to correct there", None),
    "channels.refused": ("{path} gave {status}", "look at the gateway's own log (docker logs)"),
    "channels.no-answer": (
        "{path} gave no answer: {why}",
        "the list asks the engine for each session in turn; see timeouts.response_head, and the engine's log",
    ),
    "channels.too-large": (
        "{path} is larger than limits.corrected ({limit} bytes): it passes uncorrected",
        "write this into config.yaml, in place of `limits` if it is there:{lines}",
    ),
    "channels.coded": (
        "{path} comes in a compression that cannot be undone ({why}): it passes uncorrected",
        "have the gateway send it uncompressed, or install statusproxy[codings]",
    ),
    "channels.not-json": (
        "{path} is not JSON but {type}: it passes uncorrected",
        "is that the list's path, and `gateway` the gateway? A login page in HTML means a missing secret",
    ),
    "channels.list-elsewhere": (
        "{path} holds no list under {configured}, but one under {found}: it passes uncorrected",
        "write this into config.yaml, in place of `channels` if it is there:{lines}",
    ),
    "channels.no-list": (
        "{path} holds no list under {configured}: it passes uncorrected. Its members: {members}",
        "name the list's field in channels[].list, or another path in channels[].path",
    ),
    "channels.no-ids": (
        "{path}: no channel has an id under {configured}: nothing is corrected. Their members: {members}",
        "write this into config.yaml, in place of `channels` if it is there:{lines}",
    ),
    "channels.no-id-member": (
        (
            "{path}: no channel has an id under {configured}, and no member could be one: nothing is corrected. "
            "Their members: {members}"
        ),
        "name the field that holds the id in channels[].id, or another list in channels[].list",
    ),
    "channels.some-nameless": (
        (
            "{path}: {nameless} of {count} channels have no id under the fields configured: these are never "
            "corrected. Their members: {members}"
        ),
        "write this into config.yaml, in place of `channels` if it is there:{lines}",
    ),
    "channels.some-no-id-member": (
        (
            "{path}: {nameless} of {count} channels have no id, and no member that could be one: these are never "
            "corrected. Their members: {members}"
        ),
        "look at these channels in the gateway's answer; if a field holds the id, name it in channels[].id",
    ),
    "channels.no-status": (
        "{path}: no channel has any of {configured}: nothing is corrected. Their members: {members}",
        "write this into config.yaml, in place of `channels` if it is there:{lines}",
    ),
    "channels.no-status-member": (
        (
            "{path}: no channel has any of {configured}, and no member could be a status: nothing is corrected. "
            "Their members: {members}"
        ),
        "name the field that holds the status in channels[].set, or another list in channels[].list",
    ),
    "channels.some-without-status": (
        (
            "{path}: {bare} of {count} channels have none of the status fields configured: these are never "
            "corrected. Their members: {members}"
        ),
        "write this into config.yaml, in place of `channels` if it is there:{lines}",
    ),
    "channels.some-no-status-member": (
        (
            "{path}: {bare} of {count} channels have no status, and no member that could be one: these are never "
            "corrected. Their members: {members}"
        ),
        "look at these channels in the gateway's answer; if a field holds the status, name it in channels[].set",
    ),
    "channels.strange-words": (
        (
            "{path}: the gateway says {words}, which is neither in `connected` nor in `keep`: a correction would never "
            "end by itself"
        ),
        "add the word that means connected to channels[].connected, those that tell more to channels[].keep",
    ),
    "channels.slow": (
        "{path} took {took}; the hub's health check gives up after 15 s, its page after 90 s",
        "the gateway asks the engine for each session in turn; see its load",
    ),
    "channels.rehearsal": (
        "nothing is corrected now; were {channel} lost, it would read: {change}",
        None,
    ),
    "channels.corrected": ("{session} is corrected: {change} (since {since}, {why})", None),
    "channels.kept": (
        "{session} is known to be lost (since {since}, {why}); the gateway says so itself, nothing is changed",
        None,
    ),
    "channels.about-to-end": (
        "{session}: the gateway has caught up and says connected again; the correction ends with the next list",
        None,
    ),
    "channels.more-corrected": ("… and {count} more sessions are corrected", None),
    "channels.ids-match": ("all {count} sessions that events name are channels of the list", None),
    "channels.id-alias": (
        "events name sessions that are no channels of the list, but like one: {sessions}",
        "if they are the same, write this into config.yaml, in place of `sessions` if it is there:{lines}",
    ),
    "channels.id-unknown": (
        "{count} session(s) that events name are no channels of the list, nor like one: {sessions}",
        (
            "those that were deleted: statusproxy forget {first} …; one that is a channel under another name: "
            "sessions.aliases in config.yaml"
        ),
    ),
    "channels.ambiguous": (
        "events name {session}, and several channels differ from it in case and spaces only: {channels}",
        "say which is meant: `sessions: {{aliases: {{{session}: CHANNEL}}}}`",
    ),
    "channels.unheard": ("no event was heard about {channels} yet: what the gateway says of them is shown", None),
    "channels.not-checked": ("the channel list was not checked, since the gateway does not answer", None),
    # webhooks
    "webhooks.not-known": (
        "whether webhooks pass is known only while the proxy runs; afterwards ask again",
        _THREE_WAYS.replace("let the", "to let the"),
    ),
    "webhooks.none": ("not one webhook has come through in {up}: the proxy is not on their way", _THREE_WAYS),
    "webhooks.none-since-reload": (
        "{count} webhooks came before the configuration was changed, none since; ask again when the next one came",
        None,
    ),
    "webhooks.none-any-more": (
        "webhooks have stopped: the last came {last} ago, and none since the proxy started {up} ago",
        (
            "is the engine up, and does its webhook URL still name {base}{inbound_path}? A container that was made "
            "anew may have lost it (docs/docker.md)"
        ),
    ),
    "webhooks.path-silent": (
        "webhooks to {path} have stopped ({count} came, the last {last} ago), while others still come",
        "see whether whoever posted to {path} still runs, and still has this URL",
    ),
    "webhooks.seen": (
        "{count} webhooks believed in {up}, the last {last} ago, from {senders}; requests by path: {paths}",
        None,
    ),
    "webhooks.silent": (
        "{count} webhooks believed in {up}, but the last is {last} old (from {senders}; requests by path: {paths})",
        (
            "is the engine up? A session with contacts makes some presence events a minute: see whether its webhook "
            "URL still names the proxy"
        ),
    ),
    "webhooks.presence-only": (
        "{count} events came, all about contacts (presence), none about a session: a lost session would not be noticed",
        (
            "wait for a message to come in, and ask again. If this stays, only the gateway's outbound webhooks pass: "
            "let the engine post to {base}{inbound_path} as well, or the gateway's event has a name that `events` lacks"
        ),
    ),
    "webhooks.outbound-only": (
        (
            "webhooks come on the way to the hub only, where the engine's word on the session itself (status-find) is "
            "not passed on"
        ),
        "let the engine post to {base}{inbound_path} too, instead of {gateway}{inbound_path}{inbound_lines}",
    ),
    "webhooks.nothing-said": (
        "{count} webhooks came, and none says anything about a session's connection (unknown names: {events})",
        "wait for a message to come in, and ask again; then compare `events` with what this gateway sends",
    ),
    "webhooks.unmatched": ("events that no rule names, and that say nothing therefore: {events}", None),
    "webhooks.nameless": (
        (
            "{count} events with a state that a rule knows named no session: {events}. Nobody can tell whose state it "
            "is: a lost session goes on reading connected, or a session that is back goes on reading disconnected "
            "until a message comes in"
        ),
        (
            "give each session an address of its own to post to, such as {base}{session_path} with its id in place of "
            "{placeholder} (for wppconnect-server: `webhook` of start-session), and watch that path:{session_lines}"
        ),
    ),
    "webhooks.batch": (
        "{count} webhooks held several events in one body (an array, or one a line), which are not read",
        "let the relay send one event in each request; they are forwarded all the same",
    ),
    "webhooks.no-session": ("{count} events named no session; they change nothing", None),
    "webhooks.not-json": (
        "{count} webhooks were not JSON",
        "see who posts to the watched paths (`webhooks[].path`)",
    ),
    "webhooks.idle-paths": ("nothing was posted to {paths} since the start", None),
    "webhooks.path-unknown": (
        "{count} of {all} webhooks to {path} were refused by their receiver: {statuses}",
        (
            "the receiver does not know this path: compare webhooks[].path and forward_to with it. They are heard all "
            "the same"
        ),
    ),
    "webhooks.path-failing": (
        "{count} of {all} webhooks to {path} could not be delivered: {statuses}",
        "look at the receiver; they are heard all the same",
    ),
    "webhooks.forged": (
        "{count} events from outside were not believed, as it should be: {senders}",
        None,
    ),
    "webhooks.doubted-network": (
        "{count} events were not believed, since their senders are not in webhooks[].from: {senders}",
        (
            "if these are the engine or the gateway, add their addresses to webhooks[].from, in the block "
            "`webhooks`{lines}"
        ),
    ),
    "webhooks.doubted-secret": (
        "{count} events were not believed, since the secret's header was missing or wrong: {senders}",
        "compare webhooks[].secret with the sender's",
    ),
    "webhooks.doubted-signature": (
        "{count} events were not believed, since their signature was missing or wrong: {senders}",
        "compare webhooks[].hmac (secret, algorithm, prefix, encoding) with the sender's",
    ),
    "webhooks.only-doubted-network": (
        "webhooks come ({count}), but none is believed: their senders are not in webhooks[].from: {senders}",
        (
            "if they came through a proxy of yours, see trusted_proxies; if these are the engine or the gateway, add "
            "their addresses to webhooks[].from, in the block `webhooks`{lines}"
        ),
    ),
    "webhooks.only-doubted-secret": (
        "webhooks come ({count}), but none is believed: the secret's header is missing or wrong ({senders})",
        "compare webhooks[].secret with the sender's; the engine itself sends none",
    ),
    "webhooks.only-doubted-signature": (
        "webhooks come ({count}), but none is believed: the signature is missing or wrong ({senders})",
        "compare webhooks[].hmac (secret, algorithm, prefix, encoding) with the sender's",
    ),
    "webhooks.untrusted-proxy": (
        "{peers} speaks for others (X-Forwarded-For), and is not in trusted_proxies: it counts as the client itself",
        "if it is a proxy of yours, write this into config.yaml, in place of `trusted_proxies` if it is there:{lines}",
    ),
    "webhooks.claims-from-outside": (
        (
            "{peers}, from outside, claims to speak for others (X-Forwarded-For) and is not believed; if that is a "
            "proxy of yours, add it to trusted_proxies"
        ),
        None,
    ),
    # clock
    "clock.gateway": ("the gateway's clock agrees with this machine's", None),
    "clock.gateway-silent": ("the gateway does not tell the time (no Date), so the clocks were not compared", None),
    "clock.gateway-off": (
        "the gateway's clock differs from this machine's by {seconds} s: events may be put in the wrong order",
        "have both keep time: timedatectl set-ntp true",
    ),
    "clock.events": ("the events' own times agree with the clock (the last {count} looked at)", None),
    "clock.events-off": (
        "the events' own times differ from the clock by {seconds} s at best (the last {count} looked at)",
        "have the sender's machine keep time: timedatectl set-ntp true",
    ),
    "clock.events-ahead": (
        "{count} events were dated more than 5 minutes ahead; their times only order them among themselves",
        "have the sender's machine and this one keep time: timedatectl set-ntp true",
    ),
    # disk
    "disk.works": ("the running proxy writes {path}; {free} free", None),
    "disk.in-use": ("the running proxy writes {path}", None),
    "disk.writable": ("{path} can be written; {free} free", None),
    "disk.not-seen": ("{path} cannot be seen by this user ({why}); run the doctor with sudo", None),
    "disk.not-writable": (
        "{path} cannot be written by this user ({needed})",
        "run the proxy as the user who owns it, or correct state.url; the systemd unit makes a folder of its own",
    ),
    "disk.state-damaged": (
        "the stored state was damaged: {what}",
        "look for a failing disk; once the proxy runs: statusproxy state acknowledge",
    ),
    "disk.low": ("only {free} free at {folder}", "make room: a full disk keeps changes in memory only"),
    "disk.full": (
        "no room at {folder} ({free} free): what is heard would be lost with a restart",
        "make room there, or move the state with state.url",
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
        "compare state.url, with the secrets in it, with what the running proxy has; run the doctor as root",
    ),
    "disk.redis-risk": (
        "{place}: {what}",
        "on that server: appendonly yes, appendfsync always, maxmemory-policy noeviction (docs/redis.md)",
    ),
    "disk.journal-writable": (
        "{directory}: the journal for changes that the server does not take can be written",
        None,
    ),
    "disk.journal-off": (
        "state.journal is null: changes that the server does not take are lost with the process",
        "remove `journal: null`; the journal then lies in the directory where a state.db would",
    ),
    "disk.journal-not-writable": (
        "the journal cannot be written in {directory} by this user",
        "name a directory that the proxy can write in state.journal; the systemd unit has one of its own",
    ),
    # service
    "service.no-systemd": ("systemd does not run this machine; who starts the proxy again was not checked", None),
    "service.not-installed": ("statusproxy is not installed as a service (sudo ./systemd/install.sh does it)", None),
    "service.active": ("statusproxy.systemd is {state}: {said}", None),
    "service.starting": (
        "statusproxy.systemd is starting ({sub})",
        "if that lasts: journalctl -u statusproxy -n 50",
    ),
    "service.failed": (
        "statusproxy.systemd has failed ({result})",
        "journalctl {user}-u statusproxy -n 50 says why; then systemctl {user}restart statusproxy",
    ),
    "service.stopped": (
        "statusproxy.systemd does not run ({state})",
        "systemctl {user}start statusproxy",
    ),
    "service.not-enabled": (
        "statusproxy.systemd does not start with the machine",
        "systemctl {user}enable statusproxy",
    ),
    "service.restarts": (
        "statusproxy.systemd was started again {restarts} time(s) by systemd",
        "journalctl {user}-u statusproxy -p warning says why",
    ),
    "service.socket-inactive": (
        "statusproxy.socket is {state}: a restart refuses connections",
        "systemctl enable statusproxy.socket; systemctl restart statusproxy",
    ),
    "service.no-linger": (
        "the service is {user}'s own, and stops when {user} logs out",
        "sudo loginctl enable-linger {user}; or install it for the machine: sudo ./systemd/install.sh",
    ),
}
