#!/bin/bash
# Makes a fresh machine the VPS of the runbook, without statusproxy: network, names, certificate, nginx, containers.
set -euo pipefail

mkdir -p /run/vps /etc/ssl/vps /srv/whatsapp
install -m 755 /vps/docker /usr/local/bin/docker
printf '#!/bin/sh\nexec "$@"\n' >/usr/local/bin/sudo
chmod 755 /usr/local/bin/sudo

# Docker's own bridge and the containers' one; the gateway's container is an address on the latter. And the world.
for bridge in docker0=172.17.0.1/16 whatsapp=172.18.0.1/16 world=203.0.113.10/24; do
  ip link add "${bridge%%=*}" type bridge
  ip address add "${bridge#*=}" dev "${bridge%%=*}"
  ip link set "${bridge%%=*}" up
done
ip address add 172.18.0.2/16 dev whatsapp
ip address add 203.0.113.20/24 dev world
printf '203.0.113.10 gateway.example\n203.0.113.20 hub.example\n' >>/etc/hosts

# No name server: who asks for a name that /etc/hosts lacks is told so at once, as by Docker's own. The build host's,
# which the machine was made with, cannot be reached from here, and `getent hosts` would wait ten seconds for it.
echo 'nameserver 127.0.0.1' >/etc/resolv.conf

openssl req -quiet -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=a site's own authority" \
  -addext subjectAltName=DNS:gateway.example,DNS:hub.example \
  -keyout /etc/ssl/vps/site.key -out /etc/ssl/vps/site.pem 2>/dev/null \
  || openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=a site's own authority" \
    -addext subjectAltName=DNS:gateway.example,DNS:hub.example \
    -keyout /etc/ssl/vps/site.key -out /etc/ssl/vps/site.pem 2>/dev/null
# As update-ca-certificates would, which starts two thousand programs for that.
cat /etc/ssl/vps/site.pem >>/etc/ssl/certs/ca-certificates.crt
ln -s /etc/ssl/vps/site.pem /etc/ssl/certs/"$(openssl x509 -noout -subject_hash -in /etc/ssl/vps/site.pem)".0

rm -f /etc/nginx/sites-enabled/default
install -m 644 /vps/nginx.conf /etc/nginx/sites-available/gateway
ln -s ../sites-available/gateway /etc/nginx/sites-enabled/gateway
install -m 644 /vps/hub.conf /etc/nginx/conf.d/hub.conf
systemctl restart nginx

# pip finds what it needs in a folder: the machine has no network.
printf '[global]\nno-index = true\nfind-links = /wheels\n' >/etc/pip.conf

install -m 644 /vps/compose.yaml /srv/whatsapp/compose.yaml
systemd-run --quiet --unit=gateway-wrapper \
  python3 /stand-ins/gateway.py 3000 --secret example-secret --at 172.17.0.1 --at 172.18.0.2
cd /srv/whatsapp && docker compose up -d wppconnect-server

git config --global user.email operator@vps.example
git config --global user.name operator
git config --global --add safe.directory '*'
git clone --quiet /origin /root/statusproxy
