"""The doctor's words in Portuguese (Brazil): the same codes as in `en`, with the same facts."""

from collections.abc import Mapping
from typing import Final

from statusproxy.doctor.words.en import Words

GROUPS: Final[Mapping[str, str]] = {
    "configuration": "Configuração",
    "proxy": "O proxy em execução",
    "ports": "Portas",
    "gateway": "Gateway",
    "channels": "Lista de canais e correções",
    "webhooks": "Webhooks",
    "spool": "Eventos guardados para depois",
    "alerts": "Alertas",
    "clock": "Relógios",
    "disk": "Estado gravado",
    "service": "Serviço",
}
LEVELS: Final[Mapping[str, str]] = {"ok": "ok", "note": "nota", "warning": "aviso", "problem": "PROBLEMA"}
SUMMARY: Final[Mapping[str, str]] = {
    "ok": "Está tudo certo.",
    "note": "Está tudo certo.",
    "warning": "Funciona, com {warnings} aviso(s).",
    "problem": "{problems} problema(s) e {warnings} aviso(s): veja as setas.",
}
SUMMARY_IN_PART: Final[Mapping[str, str]] = {
    "ok": "Nada de errado foi encontrado. Não verificado: {unchecked}.",
    "note": "Nada de errado foi encontrado. Não verificado: {unchecked}.",
    "warning": "{warnings} aviso(s). Não verificado: {unchecked}.",
    "problem": "{problems} problema(s) e {warnings} aviso(s): veja as setas. Não verificado: {unchecked}.",
}

_THREE_WAYS: Final = """\
faça os webhooks passarem pelo proxy. Escolha, dos três caminhos, aquele cuja URL você pode mudar \
(HOST é esta máquina como o remetente a alcança; de um contêiner, em geral a bridge do docker, como 172.17.0.1). \
As linhas abaixo que começam por `webhooks` vão para config.yaml, no lugar desse bloco se já estiver lá:
1. entrada, a melhor opção: mude a URL de webhook do motor para {base}{inbound_path} em vez de {gateway}{inbound_path} \
(um webhook definido no start-session prevalece sobre o do ambiente). Se não der para mudar, dê ao proxy o nome do \
gateway na rede do docker.{inbound_lines}
2. saída: na página de configurações do hub, mude a URL de webhook do gateway para {base}{outbound_path}; o proxy \
encaminha para {outbound_to}. Os eventos do próprio motor sobre uma sessão não passam por aqui.{outbound_lines}
3. cópia: um programa que possa enviar uma cópia faz POST em {base}{tap_path}; nada é encaminhado.{tap_lines}"""

_SET_URL: Final = """\
no gateway ({title}), defina a URL de webhook como {url} (HOST é esta máquina como o gateway a alcança; de um \
contêiner, em geral a bridge do docker, como 172.17.0.1). Basta um destes:{set_url}"""

MEANINGS: Final[Mapping[str, str]] = {
    "connected": "conectada",
    "starting": "iniciando",
    "connecting": "tentando conectar",
    "scan": "esperando a leitura do QR code",
    "unscanned": "o QR code não foi lido",
    "action": "esperando alguém agir no celular",
    "disconnected": "desconectada",
    "logged-out": "saiu da conta",
    "stopped": "parada",
    "failed": "falhou",
    "banned": "banida pelo WhatsApp por um tempo",
    "outdated": "o gateway está desatualizado para o WhatsApp",
}

#: As in English.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "to_start": ("systemctl {user}start statusproxy", "`statusproxy run`, ou inicie o contêiner"),
    "to_restart": (
        "systemctl {user}restart statusproxy",
        "encerre-o e inicie-o de novo, ou reinicie o contêiner",
    ),
    "to_reload": (
        "systemctl {user}reload statusproxy (ou kill -HUP)",
        "kill -HUP com o id do processo dele, ou docker kill --signal HUP com o contêiner dele",
    ),
}

_SAY_FOR_WHOM: Final = """\
no nginx (docs/nginx.md): `proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;` onde ele repassa requisições \
ao statusproxy; depois nginx -t && nginx -s reload. Se só os seus programas enviam por {peer}, não há nada a \
fazer"""

WORDS: Final[Words] = {
    # configuration
    "configuration.missing": (
        "nenhum arquivo de configuração foi encontrado (procurado em {where})",
        "indique-o com --config; para um proxy sem arquivo, passe --gateway; `statusproxy init` cria um arquivo",
    ),
    "configuration.broken": ("{error}", "corrija essa linha; depois confira o arquivo com `statusproxy check`"),
    "configuration.valid": ("{file} é válido; gateway {gateway}, preset {preset}", None),
    "configuration.no-file": (
        "sem arquivo de configuração, valem os valores padrão; gateway {gateway}, preset {preset}",
        None,
    ),
    "configuration.no-events": (
        "o gateway ({title}) não envia eventos sobre as conexões: nada avisa de uma queda, e nada é corrigido",
        None,
    ),
    "configuration.no-webhooks": (
        "nenhum caminho de webhook é observado, então nada é corrigido",
        "escreva isto em config.yaml, no lugar de `webhooks` se já estiver lá:{lines}",
    ),
    "configuration.no-disconnect-rule": (
        "nenhuma regra de evento diz `disconnected`, então nada é corrigido",
        "escreva isto em config.yaml, no lugar de `events` se já estiver lá:{lines}",
    ),
    "configuration.no-channels": (
        "nenhuma lista de canais é indicada, então nada é corrigido",
        "escreva isto em config.yaml, no lugar de `channels` se já estiver lá:{lines}",
    ),
    "configuration.admin-off": (
        "o listener de administração está desligado: sem página e sem `statusproxy sessions`",
        None,
    ),
    "configuration.forgetful": (
        "state.url é memory: cada reinício esquece quais sessões caíram, e o motor não repete o aviso",
        "escreva isto em config.yaml, no lugar de `state` se já estiver lá:{lines}",
    ),
    "configuration.jwt-package": ("{why}", "rode esse comando; depois inicie o proxy"),
    "configuration.alerts-package": ("{why}", "rode esse comando; depois inicie o proxy"),
    "configuration.trusts-any-sender": (
        "{path} aceita eventos de qualquer origem, sem segredo: qualquer um pode informar que uma sessão caiu",
        (
            "restrinja `from` à rede do motor, ou defina `secret`, `hmac`, `jwt` ou `token`; para confiar só nas "
            "redes privadas, escreva isto em config.yaml, no lugar de `webhooks` se já estiver lá:{lines}"
        ),
    ),
    "configuration.trusts-everybody": (
        "trusted_proxies abrange todos os endereços: qualquer um pode dizer que vem de qualquer endereço",
        (
            "indique só os proxies à frente deste; para os de redes privadas, escreva isto em config.yaml, no "
            "lugar de `trusted_proxies` se já estiver lá:{lines}"
        ),
    ),
    "configuration.presence-trusted": (
        "presence é `trust`: um contato que fica offline faz a sessão aparecer desconectada",
        (
            "se este gateway também envia connection.update sobre contatos, escreva isto em config.yaml, "
            "no lugar de `presence` se já estiver lá:{lines}"
        ),
    ),
    # proxy
    "proxy.running": ("statusproxy {version} está em execução (pid {pid}) há {since}", None),
    "proxy.not-running": (
        "o statusproxy não está em execução (nada responde em {admin}); o que só ele sabe não foi verificado",
        "esperado antes da instalação; depois dela: {to_start}",
    ),
    "proxy.admin-elsewhere": (
        (
            "um statusproxy atende em {address}, mas nada responde em {admin}, o listener de administração deste "
            "arquivo; o que só o proxy em execução sabe não foi verificado"
        ),
        (
            "se `admin.listen` mudou no arquivo, isso espera um reinício: {to_restart}. Se for outro "
            "statusproxy, dê a cada um suas portas em `listen` e `admin.listen`"
        ),
    ),
    "proxy.cannot-be-asked": (
        "admin.listen é null neste arquivo e nenhum proxy foi consultado: webhooks e ids de eventos não verificados",
        None,
    ),
    "proxy.does-not-tell": (
        "o programa em {admin} não responde como um proxy em execução: {why}",
        ("se for outro programa, dê outra porta a admin.listen; se for um statusproxy mais antigo, reinicie-o"),
    ),
    "proxy.token-refused": (
        "o programa em {admin} recusa o token de administração desta configuração, e não pôde ser consultado",
        ("se `admin` mudou no arquivo, reinicie: {to_restart}; senão, defina admin.token com o do proxy em execução"),
    ),
    "proxy.other-version": (
        "o statusproxy {running} ainda está em execução, mas o {installed} está instalado",
        "reinicie: {to_restart}",
    ),
    "proxy.reload-pending": (
        "o proxy em execução usa configurações diferentes das do arquivo: {keys}",
        "{to_reload}; nenhuma requisição se perde",
    ),
    "proxy.restart-pending": (
        "mudou no arquivo e só vale após um reinício: {keys}",
        "{to_restart}",
    ),
    "proxy.store-error": ("o proxy em execução não consegue gravar seu estado: {why}", "veja o disco, abaixo"),
    "proxy.state-damaged": (
        "o estado gravado foi danificado: {what}",
        "compare `statusproxy sessions` com os telefones; veja o disco; depois: statusproxy state acknowledge",
    ),
    "proxy.no-journal": (
        "mudanças que o servidor do estado não aceitar se perderiam se o processo terminasse: {why}",
        "indique em state.journal um diretório em que se possa gravar (docs/docker.md) e reinicie",
    ),
    "proxy.shares-state": ("{count} proxies compartilham o estado: {who}", None),
    "proxy.gateway-error": ("o proxy em execução não alcança o gateway: {why}", "veja o gateway, abaixo"),
    "proxy.unnamed-events": (
        (
            "{peer} repassa requisições sem o endereço do cliente (sem X-Forwarded-For): {count}, das quais {webhooks} "
            "para caminhos de webhook, a última há {last}. São tratadas como dele mesmo, e qualquer um que o alcance "
            "pode informar que uma sessão caiu"
        ),
        _SAY_FOR_WHOM,
    ),
    "proxy.unnamed-clients": (
        (
            "{peer} repassa requisições sem o endereço do cliente (sem X-Forwarded-For): {count}, a última há {last}. "
            "Um evento da internet que chegasse por ele seria aceito"
        ),
        _SAY_FOR_WHOM,
    ),
    "proxy.no-upgrade": (
        (
            "{count} handshake(s) de WebSocket chegaram por {peer} sem Upgrade, o último há {last}: não puderam "
            "virar WebSockets"
        ),
        (
            "no nginx (docs/nginx.md): `proxy_http_version 1.1;`, `proxy_set_header Upgrade $http_upgrade;` e "
            "`proxy_set_header Connection $connection_upgrade;` com o seu map; depois nginx -t && "
            "nginx -s reload"
        ),
    ),
    # ports
    "ports.held": ("{address} está em uso pelo proxy em execução", None),
    "ports.held-by-systemd": ("{address} é aberto pelo systemd (statusproxy.socket), que o passa ao proxy", None),
    "ports.free": ("{address} está livre", None),
    "ports.unserved": (
        "o proxy em execução não escuta em {address}, que está no arquivo",
        "reinicie: um reload não muda `listen`",
    ),
    "ports.wider": (
        "o proxy em execução escuta em {address}, que outras máquinas alcançam; isso não está no arquivo",
        (
            "reinicie: um reload não muda `listen`. No serviço instalado é o systemd que abre os "
            "sockets: rode install.sh de novo (pacote Debian: dpkg-reconfigure statusproxy)"
        ),
    ),
    "ports.held-unasked": (
        "{address} está em uso por um statusproxy que não pôde ser consultado: {who}",
        (
            "se é o deste arquivo, nada está errado; uma mudança em `admin` que ele não conhece espera um reinício "
            "({to_restart})"
        ),
    ),
    "ports.another-of-us": (
        "{address} está em uso por um statusproxy que não é o consultado: {who}",
        "pare um dos dois, ou dê a cada um suas portas e seu listener de administração",
    ),
    "ports.taken": (
        "{address} está ocupado por outro programa: {who}",
        "escolha outra porta em `listen` ou pare esse programa (sudo ss -ltnp mostra qual é)",
    ),
    "ports.not-here": (
        "{address} não é um endereço desta máquina",
        "escreva 0.0.0.0 com a porta, ou um endereço que `ip -br address` mostre (a bridge surge com o docker)",
    ),
    "ports.privileged": (
        "{address} não pode ser usado por este usuário",
        "use uma porta a partir de 1024, rode o doctor com sudo, ou deixe a porta com o systemd (statusproxy.socket)",
    ),
    "ports.unusable": ("não é possível escutar em {address}: {why}", "corrija `listen`"),
    "ports.this-machine-only": (
        (
            "só programas desta máquina alcançam o proxy; contêineres e outras máquinas (o motor, o hub) não, a menos "
            "que algo na frente repasse suas requisições"
        ),
        None,
    ),
    # gateway
    "gateway.reachable": (
        "{url} responde: conectou em {connect}, GET {path} respondeu {status} em {answered}",
        None,
    ),
    "gateway.no-health": (
        "{url} responde (conectou em {connect}), mas não tem rota de saúde: GET {path} respondeu {status}",
        None,
    ),
    "gateway.slow": (
        "{url} está lento: conectou em {connect}, GET {path} respondeu {status} em {answered}",
        "veja a carga do gateway; a verificação de saúde do hub tem limite de 15 s",
    ),
    "gateway.ill": (
        "{url} informa um erro: GET {path} respondeu {status}",
        "veja o log do próprio gateway (docker logs)",
    ),
    "gateway.unreachable": (
        "sem conexão com {url}: {why}",
        (
            "o gateway está no ar (docker ps)? A porta de um contêiner pode estar publicada só na bridge do docker: "
            "então `gateway` é http://172.17.0.1:3000, e não 127.0.0.1"
        ),
    ),
    "gateway.name-unknown": (
        "o nome em {url} não pôde ser resolvido: {why}",
        "o nome de um contêiner só existe na rede docker dele; escreva o endereço em que a porta está publicada",
    ),
    "gateway.tls-failed": (
        "{url} é alcançado, mas o TLS falha: {why}",
        "defina gateway_tls.ca com o certificado da autoridade, ou gateway_tls.server_name com o nome do certificado",
    ),
    "gateway.no-tls": (
        "{url} é alcançado, mas o que escuta nele não fala TLS",
        "escreva `gateway: {plain}`, ou a porta em que o gateway fala TLS",
    ),
    "gateway.connect-slow": (
        "{url} não aceita a conexão a tempo: {why}",
        (
            "um firewall pode estar descartando, ou o gateway está travado: veja se `curl -v` desta máquina passa, e o "
            "log do próprio gateway (docker logs)"
        ),
    ),
    "gateway.queue-full": (
        "{url} não aceita conexão, embora algo escute lá: está travado, e a fila dele está cheia ({why})",
        "veja o log do próprio gateway (docker logs) e reinicie-o (docker restart)",
    ),
    "gateway.no-http": (
        "{url} aceita conexões, mas não dá resposta HTTP a GET {path}: {why}",
        "é mesmo a porta do gateway? Talvez precise de https://",
    ),
    "gateway.hangs": (
        "{url} aceita conexões, mas não respondeu a GET {path} em {seconds} s: está travado",
        "veja o log do próprio gateway (docker logs) e reinicie-o (docker restart): o hub também espera por ele",
    ),
    "gateway.is-us": (
        "em {url} responde um statusproxy, e não o gateway",
        "defina `gateway` com o endereço do próprio gateway, ou as requisições entram em laço",
    ),
    "gateway.hub-reachable": ("{url} aceita conexões (em {connect})", None),
    "gateway.hub-unreachable": (
        "os webhooks são encaminhados para {url}, que não aceita conexão: {why}",
        "corrija webhooks[].forward_to, ou veja por que o hub não é alcançado",
    ),
    # channels
    "channels.fits": (
        "{path}: {count} {count:canal|canais} em {where}, com o status em {members}; levou {took}",
        None,
    ),
    "channels.empty": ("{path}: há uma lista em {where}, mas vazia: o conteúdo de um canal não foi verificado", None),
    "channels.secret-wanted": (
        "{path} exige um segredo ({status}); a lista não foi verificada",
        (
            "informe com --secret-file ARQUIVO ou em STATUSPROXY_GATEWAY_SECRET (cabeçalho {header}; outro: "
            "--secret-header)"
        ),
    ),
    "channels.secret-wrong": (
        "{path} recusa o segredo dado em {header} ({status}); a lista não foi verificada",
        (
            "compare com o do gateway; outro cabeçalho se indica com --secret-header. O proxy em si não precisa de "
            "nenhum: ele repassa o que o hub envia"
        ),
    ),
    "channels.missing": (
        "{path} não existe no gateway ({status})",
        (
            "indique o caminho da lista em channels[].path; um caminho-base do gateway fica em `gateway` "
            "(http://host:3000/base)"
        ),
    ),
    "channels.not-served": ("{path} não existe neste gateway ({status}); nada a corrigir ali", None),
    "channels.refused": ("{path} respondeu {status}", "veja o log do próprio gateway (docker logs)"),
    "channels.no-answer": (
        "{path} não respondeu: {why}",
        "a lista consulta o motor sessão por sessão; veja timeouts.response_head e o log do motor",
    ),
    "channels.hangs": (
        "{path} não respondeu em {seconds} s; a verificação do hub desiste após 15 s, a página dele após 90 s",
        "o gateway consulta o motor sessão por sessão; veja a carga do motor e o log do gateway",
    ),
    "channels.too-large": (
        "{path} é maior que limits.corrected ({limit} bytes): é encaminhada sem correção",
        "escreva isto em config.yaml, no lugar de `limits` se já estiver lá:{lines}",
    ),
    "channels.coded": (
        "{path} vem com uma compressão que não pode ser decodificada ({why}): é encaminhada sem correção",
        "faça o gateway enviar sem compressão, ou instale os pacotes Python brotli e backports.zstd",
    ),
    "channels.not-json": (
        "{path} não é JSON, e sim {type}: é encaminhada sem correção",
        "é mesmo o caminho da lista, e `gateway` o gateway? Uma página de login em HTML indica que falta o segredo",
    ),
    "channels.too-deep": (
        "{path} tem níveis demais para ser lida: é encaminhada sem correção",
        "confira o caminho da lista e `gateway`; nenhum gateway conhecido responde assim",
    ),
    "channels.list-elsewhere": (
        "{path} não tem lista em {configured}, mas tem em {found}: é encaminhada sem correção",
        "escreva isto em config.yaml, no lugar de `channels` se já estiver lá:{lines}",
    ),
    "channels.other-preset": (
        "{path} não é a lista de `preset: {preset}`, mas parece a de {title}: é encaminhada sem correção",
        "escreva `preset: {other}` em config.yaml, no lugar de `preset: {preset}`, e reinicie o proxy",
    ),
    "channels.no-list": (
        "{path} não tem lista em {configured}: é encaminhada sem correção. Campos: {members}",
        "indique o campo da lista em channels[].list, ou outro caminho em channels[].path",
    ),
    "channels.no-ids": (
        "{path}: nenhum canal tem id em {configured}: nada é corrigido. Campos: {members}",
        "escreva isto em config.yaml, no lugar de `channels` se já estiver lá:{lines}",
    ),
    "channels.no-id-member": (
        (
            "{path}: nenhum canal tem id em {configured}, nem um campo que pareça um: nada é corrigido. Campos: "
            "{members}"
        ),
        "indique em channels[].id o campo que tem o id, ou outra lista em channels[].list",
    ),
    "channels.some-nameless": (
        (
            "{path}: {nameless} de {count} {count:canal não tem|canais não têm} id nos campos configurados: "
            "nunca são corrigidos. Campos: "
            "{members}"
        ),
        "escreva isto em config.yaml, no lugar de `channels` se já estiver lá:{lines}",
    ),
    "channels.some-no-id-member": (
        (
            "{path}: {nameless} de {count} {count:canal não tem|canais não têm} id, nem um campo que pareça um: "
            "nunca são corrigidos. "
            "Campos: {members}"
        ),
        "veja esses canais na resposta do gateway; se um campo tiver o id, indique-o em channels[].id",
    ),
    "channels.no-status": (
        "{path}: nenhum canal tem {configured}: nada é corrigido. Campos: {members}",
        "escreva isto em config.yaml, no lugar de `channels` se já estiver lá:{lines}",
    ),
    "channels.no-status-member": (
        (
            "{path}: nenhum canal tem algum de {configured}, nem um campo que pareça o status: nada é "
            "corrigido. Campos: {members}"
        ),
        "indique em channels[].set o campo que tem o status, ou outra lista em channels[].list",
    ),
    "channels.some-without-status": (
        (
            "{path}: {bare} de {count} {count:canal não tem|canais não têm} nenhum dos campos de status "
            "configurados: nunca são "
            "corrigidos. Campos: {members}"
        ),
        "escreva isto em config.yaml, no lugar de `channels` se já estiver lá:{lines}",
    ),
    "channels.some-no-status-member": (
        (
            "{path}: {bare} de {count} {count:canal não tem|canais não têm} status, nem um campo que pareça um: "
            "nunca são corrigidos. "
            "Campos: {members}"
        ),
        "veja esses canais na resposta do gateway; se um campo tiver o status, indique-o em channels[].set",
    ),
    "channels.strange-words": (
        "{path}: o gateway diz {words}, que não está em `connected` nem em `keep`: uma correção nunca acabaria sozinha",
        "inclua em channels[].connected a palavra para conectado, e em channels[].keep as que detalham a queda",
    ),
    "channels.words": ("{path} diz {words}", None),
    "channels.single-fits": ("{path}: a resposta sobre {session} traz o status em {members}", None),
    "channels.single-fits-in-part": (
        "{path}: a resposta sobre {session} traz o status em {members}; não traz {missing}",
        None,
    ),
    "channels.single-no-object": (
        "{path} não traz sessão em {configured}: é encaminhada sem correção. Os campos: {members}",
        "defina em channels[].list desse caminho o campo que traz a sessão",
    ),
    "channels.single-no-id": (
        "{path} não indica a sessão em {configured}: é encaminhada sem correção. Os campos: {members}",
        "defina em channels[].id desse caminho o campo com o id da sessão",
    ),
    "channels.single-no-status": (
        "{path} não traz nenhum de {configured}: é encaminhada sem correção. Os campos: {members}",
        "defina em channels[].set desse caminho o campo com o status",
    ),
    "channels.single-refused": ("{path} respondeu {status}; o formato da resposta não foi verificado", None),
    "channels.single-no-session": ("{path} não foi verificado: nenhuma sessão é conhecida para perguntar", None),
    "channels.single-with-secret": ("{path} não foi verificado: o caminho leva o segredo de uma sessão", None),
    "channels.slow": (
        "{path} levou {took}; a verificação de saúde do hub desiste em 15 s, a página em 90 s",
        "o gateway consulta o motor sessão por sessão; veja a carga",
    ),
    "channels.rehearsal": (
        "nada é corrigido agora; se {channel} caísse, a lista diria: {change}",
        None,
    ),
    "channels.rehearsal-unasked": (
        (
            "não se sabe o que é corrigido agora, pois nenhum proxy em execução pôde ser consultado; se {channel} "
            "caísse, a lista diria: {change}"
        ),
        None,
    ),
    "channels.corrected": ("{session} é corrigida: {change} (desde {since}, {why})", None),
    "channels.kept": (
        "{session} caiu (desde {since}, {why}); o próprio gateway já diz isso, nada é mudado",
        None,
    ),
    "channels.about-to-end": (
        "{session}: o gateway percebeu a queda e agora diz conectado; a correção acaba na próxima lista",
        None,
    ),
    "channels.transient": (
        "{session}: {word}; nada é corrigido ainda. Se continuar assim, aparece como caída a partir de {due}",
        None,
    ),
    "channels.more-transient": ("… e mais {count} {count:sessão está|sessões estão} num estado assim", None),
    "channels.way-back": ("para trazer uma sessão de volta, peça ao gateway ({title}): {routes}", None),
    "channels.more-corrected": ("… e mais {count} {count:sessão é corrigida|sessões são corrigidas}", None),
    "channels.ids-match": (
        (
            "{count:a sessão que os eventos citam está|todas as sessões que os eventos citam estão} na lista de "
            "canais ({count})"
        ),
        None,
    ),
    "channels.id-alias": (
        "os eventos citam sessões que não estão na lista de canais, mas parecidas com um: {sessions}",
        "se forem as mesmas, escreva isto em config.yaml, no lugar de `sessions` se já estiver lá:{lines}",
    ),
    "channels.id-unknown": (
        "{count} sessão(ões) que os eventos citam não estão na lista de canais, nem se parecem com um: {sessions}",
        (
            "remova as apagadas: statusproxy forget -- {first} …; acrescente a sessions.aliases, em config.yaml, a que "
            "tem outro nome na lista"
        ),
    ),
    "channels.ambiguous": (
        "os eventos citam {session}, e vários canais diferem dela só em maiúsculas e espaços: {channels}",
        "escreva isto em config.yaml, no lugar de `sessions` se já estiver lá, com o canal certo:{lines}",
    ),
    "channels.unheard": ("nenhum evento sobre {channels} até agora: a lista mostra o que o gateway diz", None),
    "channels.not-checked": ("a lista de canais não foi verificada, pois o gateway não responde", None),
    # webhooks
    "webhooks.not-asked": (
        (
            "só o proxy em execução sabe se os webhooks chegam; um statusproxy ocupa a porta, mas o seu listener "
            "de administração não pôde ser consultado com este arquivo"
        ),
        None,
    ),
    "webhooks.not-known": (
        "só o proxy em execução sabe se os webhooks chegam; inicie-o e rode o doctor de novo",
        _THREE_WAYS.replace("faça os webhooks passarem", "os webhooks precisam passar", 1),
    ),
    "webhooks.none": ("nenhum webhook chegou em {up}: os webhooks não passam pelo proxy", _THREE_WAYS),
    "webhooks.not-known-yet": (
        "só o proxy em execução sabe se os webhooks chegam; inicie-o e rode o doctor de novo",
        _SET_URL,
    ),
    "webhooks.none-posted": (
        "nenhum webhook chegou em {up}: o gateway ({title}) não os envia ao proxy",
        _SET_URL,
    ),
    "webhooks.none-yet": (
        "nenhum webhook chegou nos {up} desde o início, o que é pouco tempo para dizer algo",
        "rode o doctor de novo daqui a alguns minutos",
    ),
    "webhooks.none-since-reload": (
        (
            "{count} {count:webhook chegou|webhooks chegaram} antes da mudança da configuração, nenhum depois; rode "
            "o doctor de novo "
            "depois do próximo"
        ),
        None,
    ),
    "webhooks.none-any-more": (
        "os webhooks pararam: o último chegou há {last}, e nenhum desde que o proxy iniciou, há {up}",
        (
            "verifique se o motor está no ar e se a URL de webhook dele ainda é {base}{inbound_path}. Um contêiner "
            "recriado pode tê-la perdido (docs/docker.md)"
        ),
    ),
    "webhooks.path-silent": (
        (
            "os webhooks para {path} pararam ({count} {count:chegou|chegaram}, o último há {last}), enquanto outros "
            "ainda chegam"
        ),
        "veja se quem enviava para {path} ainda está no ar, e se ainda tem essa URL",
    ),
    "webhooks.seen": (
        (
            "{count} {count:webhook aceito|webhooks aceitos} em {up}, o último há {last}, de {senders}; "
            "requisições por caminho: {paths}"
        ),
        None,
    ),
    "webhooks.silent": (
        (
            "{count} {count:webhook aceito|webhooks aceitos} em {up}, mas o último foi há {last} (de {senders}; "
            "requisições por caminho: {paths})"
        ),
        (
            "verifique se o motor está no ar e se a URL de webhook dele ainda é a do proxy: uma sessão com contatos "
            "gera alguns eventos de presença por minuto"
        ),
    ),
    "webhooks.presence-only": (
        (
            "{count:chegou|chegaram} {count} {count:evento|eventos}, todos sobre contatos (presença), nenhum sobre "
            "uma sessão: uma queda passaria "
            "despercebida"
        ),
        (
            "espere chegar uma mensagem e rode o doctor de novo. Se continuar, só os webhooks de saída do gateway "
            "passam: faça o motor enviar também a {base}{inbound_path}, ou acrescente o evento do gateway a `events`"
        ),
    ),
    "webhooks.outbound-only": (
        (
            "só chegam os webhooks destinados ao hub; o gateway não repassa a ele os eventos do motor sobre a "
            "própria sessão (status-find)"
        ),
        "faça o motor enviar a {base}{inbound_path}, em vez de {gateway}{inbound_path}{inbound_lines}",
    ),
    "webhooks.nothing-said": (
        (
            "{count:chegou|chegaram} {count} {count:webhook|webhooks} e nenhum diz algo sobre a conexão de uma "
            "sessão (nomes desconhecidos: {events})"
        ),
        "espere chegar uma mensagem e rode o doctor de novo; depois compare `events` com o que este gateway envia",
    ),
    "webhooks.unmatched": ("eventos sem regra, que são ignorados: {events}", None),
    "webhooks.nameless": (
        (
            "{count} {count:evento|eventos} com um estado que uma regra conhece não {count:citou|citaram} "
            "sessão: {events}. Não há como saber de "
            "quem é o estado: uma sessão que caiu continua conectada na lista, ou uma que voltou continua "
            "desconectada até chegar uma mensagem"
        ),
        (
            "dê a cada sessão uma URL de webhook própria, como {base}{session_path} com o id dela no lugar de "
            "{placeholder} (no wppconnect-server: `webhook` de start-session), e observe esse caminho:{session_lines}"
        ),
    ),
    "webhooks.nameless-elsewhere": (
        (
            "{count} {count:evento|eventos} com um estado que uma regra conhece não {count:citou|citaram} "
            "sessão: {events}. Não há como saber de "
            "quem é o estado: uma sessão que caiu continua conectada na lista, ou uma que voltou continua "
            "desconectada até chegar uma mensagem"
        ),
        (
            "{session_path} é observado e tira a sessão do caminho, mas esses eventos chegaram por outro: dê a cada "
            "sessão a URL de webhook {base}{session_path} com o id dela no lugar de {placeholder} (no "
            "wppconnect-server: `webhook` de start-session)"
        ),
    ),
    "webhooks.no-session": (
        "{count} {count:evento não citou|eventos não citaram} sessão; {count:é ignorado|são ignorados}",
        None,
    ),
    "webhooks.not-json": (
        "{count} {count:webhook não era|webhooks não eram} JSON",
        "veja quem envia aos caminhos observados (`webhooks[].path`)",
    ),
    "webhooks.too-deep": (
        "{count} {count:webhook tinha|webhooks tinham} níveis demais para {count:ser lido|serem lidos}",
        "veja quem envia aos caminhos observados (`webhooks[].path`)",
    ),
    "webhooks.idle-paths": ("nada foi enviado a {paths} desde o início", None),
    "webhooks.path-unknown": (
        (
            "{count} de {all} {all:webhook|webhooks} para {path} {count:foi recusado|foram recusados} pelo "
            "destino: {statuses}"
        ),
        "o destino não conhece esse caminho: compare com webhooks[].path e forward_to. O proxy os lê mesmo assim",
    ),
    "webhooks.path-failing": (
        (
            "{count} de {all} {all:webhook|webhooks} para {path} "
            "{count:não pôde ser entregue|não puderam ser entregues}: {statuses}"
        ),
        "veja o destino; o proxy lê esses eventos mesmo assim",
    ),
    "webhooks.forged": (
        "{count} {count:evento|eventos} de fora {count:não foi aceito|não foram aceitos}, como esperado: {senders}",
        None,
    ),
    "webhooks.doubted-network": (
        (
            "{count} {count:evento|eventos} {count:não foi aceito|não foram aceitos}, pois "
            "{count:o remetente não está|os remetentes não estão} em webhooks[].from: {senders}"
        ),
        "se forem o motor ou o gateway, acrescente os endereços a webhooks[].from, no bloco `webhooks`{lines}",
    ),
    "webhooks.doubted-secret": (
        (
            "{count} {count:evento|eventos} {count:não foi aceito|não foram aceitos}, pois o cabeçalho do "
            "segredo faltava ou estava errado: {senders}"
        ),
        "compare webhooks[].secret com o do remetente",
    ),
    "webhooks.doubted-signature": (
        (
            "{count} {count:evento|eventos} {count:não foi aceito|não foram aceitos}, pois a assinatura faltava "
            "ou estava errada: {senders}"
        ),
        "compare webhooks[].hmac (secret, algorithm, prefix, encoding) com o do remetente",
    ),
    "webhooks.doubted-jwt": (
        (
            "{count} {count:evento|eventos} {count:não foi aceito|não foram aceitos}, pois o JSON Web Token "
            "faltava, estava errado ou vencido: {senders}"
        ),
        "compare webhooks[].jwt (header, secret) com o do remetente, que assina com HS256, e os relógios das máquinas",
    ),
    "webhooks.doubted-token": (
        (
            "{count} {count:evento|eventos} {count:não foi aceito|não foram aceitos}, pois o token no corpo "
            "faltava ou estava errado: {senders}"
        ),
        "compare webhooks[].token (field, value) com o que vem no corpo dos eventos do remetente",
    ),
    "webhooks.only-doubted-network": (
        "os webhooks chegam ({count}), mas nenhum é aceito: os remetentes não estão em webhooks[].from: {senders}",
        (
            "se chegaram por um proxy seu, veja trusted_proxies; se forem o motor ou o gateway, acrescente os "
            "endereços a webhooks[].from, no bloco `webhooks`{lines}"
        ),
    ),
    "webhooks.only-doubted-secret": (
        "os webhooks chegam ({count}), mas nenhum é aceito: o cabeçalho do segredo falta ou está errado ({senders})",
        "compare webhooks[].secret com o do remetente; o motor em si não envia nenhum",
    ),
    "webhooks.only-doubted-signature": (
        "os webhooks chegam ({count}), mas nenhum é aceito: a assinatura falta ou está errada ({senders})",
        "compare webhooks[].hmac (secret, algorithm, prefix, encoding) com o do remetente",
    ),
    "webhooks.only-doubted-jwt": (
        "os webhooks chegam ({count}), mas nenhum é aceito: o JSON Web Token falta, está errado ou vencido ({senders})",
        "compare webhooks[].jwt (header, secret) com o do remetente, que assina com HS256, e os relógios das máquinas",
    ),
    "webhooks.only-doubted-token": (
        "os webhooks chegam ({count}), mas nenhum é aceito: o token no corpo falta ou está errado ({senders})",
        "compare webhooks[].token (field, value) com o que vem no corpo dos eventos do remetente",
    ),
    "webhooks.untrusted-proxy": (
        "{peers} encaminha por outros (X-Forwarded-For), mas não está em trusted_proxies: é tratado como cliente",
        "se for um proxy seu, escreva isto em config.yaml, no lugar de `trusted_proxies` se já estiver lá:{lines}",
    ),
    "webhooks.by-address": (
        (
            "os eventos de {peers} são confiáveis só por esse endereço; um proxy na frente, ou uma porta publicada "
            "pelo Docker, aparece com o mesmo endereço"
        ),
        (
            "se só os seus programas enviam a partir dali, deixe como está. Um proxy na frente precisa enviar "
            "X-Forwarded-For (docs/nginx.md). Ou então defina `secret`, `hmac`, `jwt` ou `token`, que não confiam em "
            "ninguém pelo endereço"
        ),
    ),
    "webhooks.claims-from-outside": (
        (
            "{peers}, de fora, diz encaminhar por outros (X-Forwarded-For) e não é aceito; se for um proxy seu, "
            "acrescente a trusted_proxies"
        ),
        None,
    ),
    # spool
    "spool.off": (
        (
            "eventos que o gateway não aceita não são guardados: o motor envia cada um uma só vez, então mensagens se "
            "perdem enquanto ele reinicia"
        ),
        "para guardá-los, ponha `spool: true` no caminho do webhook (docs/pt-BR/spool.md diz o que isso significa)",
    ),
    "spool.on": ("eventos que o destino não aceita são guardados: {paths}", None),
    "spool.no-place": (
        "spool: true em {paths} não tem efeito: os eventos ficam junto do estado, e este state.url não guarda nenhum",
        "escreva isto em config.yaml, no lugar de `state` se já estiver lá, e reinicie:{lines}",
    ),
    "spool.away": (
        (
            "{receiver} não aceita eventos há {since}; eles são guardados, e um deles é tentado após {first} s, "
            "{second} s e depois a cada {last} s; o gateway recebe um assim que puder ser alcançado de novo"
        ),
        "descubra por que não aceita (docker ps, docker logs); quando voltar, tudo é entregue em ordem, sozinho",
    ),
    "spool.waits": ("{count} evento(s) esperam pela entrega, o mais antigo há {since}", None),
    "spool.waits-long": (
        "{count} evento(s) esperam pela entrega, o mais antigo há {since}; depois de {max_age} cada um é descartado",
        "`statusproxy spool list` diz por que não são aceitos",
    ),
    "spool.unanswered": (
        (
            "{count} evento(s) foram enviados sem resposta, e não se sabe se chegaram; depois de {max_age} cada um é "
            "descartado"
        ),
        (
            "`statusproxy spool list --state unknown`; veja se o gateway tem a mensagem e então `statusproxy spool "
            "replay ID` (pode chegar duas vezes) ou `statusproxy spool drop ID`"
        ),
    ),
    "spool.dead": (
        "{count} evento(s) são recusados pelo destino a cada tentativa; depois de {max_age} cada um é descartado",
        (
            "`statusproxy spool list --state dead` mostra o status; com o destino corrigido: statusproxy spool replay "
            "--state dead"
        ),
    ),
    "spool.nearly-full": (
        "o spool está {percent} % cheio; quando encher, novos eventos são respondidos como sem spool e podem se perder",
        "descubra por que não são entregues (statusproxy spool list), ou aumente spool.max_entries ou spool.max_bytes",
    ),
    # alerts
    "alerts.off": (
        "ninguém é avisado quando uma sessão cai: não há alertas configurados",
        "escreva um bloco `alerts` em config.yaml (docs/pt-BR/alerts.md mostra como: Telegram, e-mail, ntfy, webhooks)",
    ),
    "alerts.on": (
        "os operadores são avisados por {targets}; `statusproxy doctor --send` manda uma mensagem de teste a cada um",
        None,
    ),
    "alerts.heartbeat-only": ("ninguém é avisado das quedas: os alertas têm heartbeat e nenhum destino", None),
    "alerts.failing": (
        ("a última mensagem não chegou a {target}: {error} ({waiting} {waiting:mensagem espera|mensagens esperam})"),
        "corrija o endereço em alerts.to, ou o destino; depois, `statusproxy alerts test --to {number}`",
    ),
    "alerts.not-written": (
        "os alertas enviados não estão sendo gravados agora e podem ser enviados de novo depois de um reinício",
        "os itens sobre o estado gravado dizem por quê",
    ),
    "alerts.heartbeat-failing": (
        "nenhum heartbeat foi respondido desde o início ({failed} falharam, {withheld} não foram enviados)",
        "confira a URL em alerts.heartbeat e se esta máquina a alcança; o log diz o que ela responde",
    ),
    "alerts.test-sent": ("uma mensagem de teste chegou a {target}", None),
    "alerts.test-failed": (
        "uma mensagem de teste não chegou a {target}: {error}",
        "corrija o endereço em alerts.to, ou o destino; depois, tente de novo com `statusproxy doctor --send`",
    ),
    "alerts.heartbeat-answered": ("o monitor do heartbeat responde", None),
    "alerts.heartbeat-failed": (
        "o monitor do heartbeat não o aceita: {error}",
        "confira a URL em alerts.heartbeat e se esta máquina a alcança",
    ),
    # clock
    "clock.gateway": ("o relógio do gateway confere com o desta máquina", None),
    "clock.gateway-silent": ("o gateway não diz a hora (sem Date); os relógios não foram comparados", None),
    "clock.gateway-off": (
        "o relógio do gateway difere do desta máquina em {seconds} s: eventos podem ficar na ordem errada",
        "sincronize os dois: timedatectl set-ntp true",
    ),
    "clock.events": (
        "a hora nos eventos confere com o relógio ({count:último|últimos} {count} {count:evento|eventos})",
        None,
    ),
    "clock.events-off": (
        (
            "a hora nos eventos difere do relógio em pelo menos {seconds} s ({count:último|últimos} {count} "
            "{count:evento|eventos})"
        ),
        "sincronize o relógio da máquina do remetente: timedatectl set-ntp true",
    ),
    "clock.events-ahead": (
        (
            "{count} {count:evento trazia|eventos traziam} hora mais de 5 minutos no futuro; essa hora só serviu "
            "para ordená-los entre si"
        ),
        "sincronize o relógio da máquina do remetente e o desta: timedatectl set-ntp true",
    ),
    # disk
    "disk.works": ("o proxy em execução grava em {path}; {free} livres", None),
    "disk.in-use": ("o proxy em execução grava em {path}", None),
    "disk.writable": ("{path} pode ser gravado; {free} livres", None),
    "disk.not-seen": ("este usuário não tem acesso a {path} ({why}); rode o doctor com sudo", None),
    "disk.not-writable": (
        "{path} não pode ser gravado por este usuário ({needed})",
        "rode o proxy com o usuário dono, ou corrija state.url; a unidade do systemd cria uma pasta própria",
    ),
    "disk.state-damaged": (
        "o estado gravado foi danificado: {what}",
        "veja se o disco está falhando; com o proxy em execução: statusproxy state acknowledge",
    ),
    "disk.low": ("só {free} livres em {folder}", "libere espaço: com o disco cheio, as mudanças ficam só na memória"),
    "disk.full": (
        "sem espaço em {folder} ({free} livres): um reinício perderia o que não foi gravado",
        "libere espaço ali, ou mude o estado de lugar com state.url",
    ),
    "disk.redis-works": ("o proxy em execução grava em {place}", None),
    "disk.redis-reachable": ("{place}: o servidor responde", None),
    "disk.redis-package": ("{why}", "rode esse comando; depois inicie o proxy"),
    "disk.redis-unreachable": (
        "{why}",
        "enquanto o servidor não puder ser usado, o proxy guarda as mudanças no seu journal (docs/redis.md)",
    ),
    "disk.redis-not-seen": (
        "o proxy em execução grava o estado, mas daqui: {why}",
        "compare state.url e os segredos que ele usa com os do proxy em execução; rode o doctor como root",
    ),
    "disk.redis-risk": (
        "{place}: {what}",
        "nesse servidor: appendonly yes, appendfsync always, maxmemory-policy noeviction (docs/redis.md)",
    ),
    "disk.journal-writable": (
        "o journal, para as mudanças que o servidor não aceita, pode ser gravado em {directory}",
        None,
    ),
    "disk.journal-off": (
        "state.journal é null: mudanças que o servidor não aceita se perdem quando o processo termina",
        "remova `journal: null`; o journal fica então na pasta do state.db",
    ),
    "disk.journal-not-writable": (
        "o journal não pode ser gravado em {directory} por este usuário",
        "indique em state.journal uma pasta em que o proxy possa gravar; a unidade do systemd tem a sua",
    ),
    # service
    "service.no-systemd": ("esta máquina não usa systemd; os reinícios do proxy não foram verificados", None),
    "service.not-installed": (
        "o statusproxy não está instalado como serviço (docs/pt-BR/debian.md e docs/pt-BR/runbook.md dizem como)",
        None,
    ),
    "service.unasked": (
        "este usuário não pôde consultar o systemd sobre o serviço",
        "execute o doctor com sudo",
    ),
    "service.active": ("statusproxy.service está {state}: {said}", None),
    "service.starting": (
        "statusproxy.service está iniciando ({sub})",
        "se demorar: journalctl -u statusproxy -n 50",
    ),
    "service.failed": (
        "statusproxy.service falhou ({result})",
        "journalctl {user}-u statusproxy -n 50 diz por quê; depois systemctl {user}restart statusproxy",
    ),
    "service.stopped": (
        "statusproxy.service não está em execução ({state})",
        "systemctl {user}start statusproxy",
    ),
    "service.not-enabled": (
        "statusproxy.service não inicia com a máquina",
        "systemctl {user}enable statusproxy",
    ),
    "service.restarts": (
        "statusproxy.service foi reiniciado {restarts} vez(es) pelo systemd",
        "journalctl {user}-u statusproxy -p warning diz por quê",
    ),
    "service.socket-inactive": (
        "statusproxy.socket está {state}: um reinício recusa conexões",
        "systemctl enable statusproxy.socket; systemctl restart statusproxy",
    ),
    "service.no-linger": (
        "o serviço é do usuário {user} e para quando ele sai",
        "sudo loginctl enable-linger {user}; ou instale para a máquina: sudo ./systemd/install.sh",
    ),
}
