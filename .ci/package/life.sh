#!/usr/bin/env bash
# The life of the package: installed, configured, started, killed, upgraded, removed, installed again, purged, restored. As root,
# on a machine that is thrown away (machine.sh), with systemd or without.
set -euo pipefail
cd "$(dirname "$0")"
exec >log 2>&1

unit=/usr/lib/systemd/system/admit-one.service
settings=/etc/admit-one/admit-one.env
data=/var/lib/admit-one
url=http://127.0.0.1:9000
booted=$([ -d /run/systemd/system ] && echo yes || true)

finish() {
  local status=$?
  trap - EXIT
  if [ "$status" -ne 0 ] && [ "$booted" ]; then journalctl --unit admit-one --no-pager --lines 40 || true; fi
  if [ "$booted" ]; then systemctl exit "$status"; fi
  exit "$status"
}
trap finish EXIT
report() {
  printf 'package: %s\n' "$*" | tee -a report
}
fail() {
  echo "FAILED: $*"
  exit 1
}
is() {
  [ "$2" = "$3" ] || fail "$1 is '$2', expected '$3'"
}

serves() {
  for _ in {1..200}; do
    curl --silent --fail --max-time 5 "$url/healthz" >/dev/null && return
    sleep 0.1
  done
  fail 'it does not serve within 20 s'
}
start() {
  if [ "$booted" ]; then
    systemctl start admit-one
  else
    command=$(sed -n 's/^ExecStart=//p' "$unit")
    (
      set -a
      . "$settings"
      umask "$(sed -n 's/^UMask=//p' "$unit")"
      exec setpriv --reuid="$(sed -n 's/^User=//p' "$unit")" --regid="$(sed -n 's/^Group=//p' "$unit")" --clear-groups \
        --no-new-privs --inh-caps=-all --bounding-set=-all sh -c "exec $command"
    ) >>service.log 2>&1 &
    process=$!
  fi
  serves
}
stop() {
  local begun=$SECONDS
  if [ "$booted" ]; then
    systemctl stop admit-one
    is 'the result of the stop' "$(systemctl show --property Result --value admit-one)" success
  else
    kill -TERM "$process"
    wait "$process" || fail 'it did not end well'
  fi
  [ $((SECONDS - begun)) -le 10 ] || fail 'it took longer to stop than 10 s'
}
# Its log; without systemd, what it has written.
service_log() {
  if [ "$booted" ]; then journalctl --unit admit-one --no-pager "$@"; else cat service.log; fi
}

# As on a machine that never had it.
dpkg --purge admit-one 2>/dev/null || true
rm -rf "$data" "${settings%/*}"

dpkg --install earlier.deb
is 'the settings' "$(stat --format '%a %U:%G' "$settings")" '640 root:admit-one'
is 'the data folder' "$(stat --format '%a %U:%G' "$data")" '700 admit-one:admit-one'
is "the user's shell" "$(getent passwd admit-one | cut -d: -f7)" /usr/sbin/nologin
[ "$(id -u admit-one)" -lt 1000 ] || fail 'it is no system user'
dpkg-deb --extract package.deb contents
for file in usr/share/man/man8/admit-one.8.gz usr/share/doc/admit-one/{copyright,LICENSE-MIT,LICENSE-APACHE,OPERATIONS.md}; do
  [ -s "contents/$file" ] || fail "the package has no $file"
done
# Every option has its place in the man page.
for option in $(admit-one --help | grep -o -- '--[a-z-]*' | sort -u); do
  zcat contents/usr/share/man/man8/admit-one.8.gz | sed 's/\\-/-/g' | grep -q -- "$option" || fail "admit-one(8) lacks $option"
done
is 'what systemd says of the unit' "$(systemd-analyze verify --man=no "$unit" 2>&1 | grep admit-one || true)" ''
if systemd-analyze --help | grep -q -- --threshold; then
  # 0 is locked up, 100 open.
  systemd-analyze security --offline=yes --threshold=15 --no-pager "$unit" >security ||
    { cat security; fail 'the unit is too open'; }
  report "$(grep -o 'exposure level for .*: [0-9.]*' security) of 10"
fi
if [ "$booted" ]; then
  is 'an unconfigured service' "$(systemctl is-active admit-one || true) $(systemctl is-enabled admit-one || true)" 'inactive disabled'
fi
report 'installed, not started'

echo "ADMIT_ONE_FLAGS='--listen 127.0.0.1:9000'" >>"$settings"
if [ "$booted" ]; then systemctl enable --quiet admit-one; fi
start
key=$(sed -n 's/.*"apiKey": "\(.*\)".*/\1/p' "$data/keys.json")
buy() {
  curl --silent --request POST "$url/v1/invite/request" --header "x-api-key: $key" \
    --data '{"userId": "alice", "transactionId": "T-1"}'
}
request=$(buy | sed -n 's/.*"requestId":"\([^"]*\)".*/\1/p')
[ "$request" ] || fail "no payment is accepted: $(buy)"
link() {
  curl --silent --header "x-api-key: $key" "$url/v1/invite/$request" | sed -n 's/.*"inviteLink":"\([^"]*\)".*/\1/p'
}
for _ in {1..100}; do
  first=$(link)
  [ -z "$first" ] || break
  sleep 0.1
done
[ "$first" ] || fail 'a payment got no link'
report 'started; a payment got its link'

if [ "$booted" ]; then
  process=$(systemctl show --property MainPID --value admit-one)
  is 'its user' "$(ps -o user= -p "$process")" admit-one
  is 'what it may' "$(awk '/^(CapEff|CapBnd|NoNewPrivs|Seccomp):/ {print $2}' "/proc/$process/status" | xargs)" \
    '0000000000000000 0000000000000000 1 2'
fi
is 'what it complains of' "$(service_log --priority warning --output cat)" ''
is 'keys in its log' "$(service_log | grep -c 'shop_\|admin_' || true)" 0
doctor=$(grep -m1 '^sudo -u admit-one sh -c ' contents/usr/share/doc/admit-one/ONE_MACHINE.md)
# Simulated Telegram is no bot that doctor could find, so it ends with 1.
eval "${doctor/sudo -u admit-one/runuser -u admit-one --}" >doctor || true
grep -q "keys: read from $data/keys.json" doctor || { cat doctor; fail 'doctor, as the documents call it, finds no keys'; }
report 'locked down; nothing logged; doctor finds the keys'

if [ "$booted" ]; then
  kill -KILL "$process"
  for _ in {1..150}; do
    [ "$(systemctl show --property MainPID --value admit-one)" = 0 ] || [ -d "/proc/$process" ] || break
    sleep 0.1
  done
  serves
  report 'killed; it runs again by itself'
fi

is_kept() {
  is 'the link of the payment' "$(link)" "$first"
  [[ $(buy) == *"\"requestId\":\"$request\""* ]] || fail "the payment is another one: $(buy)"
}
if [ "$booted" ]; then process=$(systemctl show --property MainPID --value admit-one); else stop; fi
dpkg --install package.deb
if [ "$booted" ]; then
  [ "$(systemctl show --property MainPID --value admit-one)" != "$process" ] || fail 'the upgrade did not start it again'
  serves
else
  start
fi
is_kept
grep -q '^ADMIT_ONE_FLAGS=' "$settings" || fail 'the upgrade took the settings'
report 'upgraded; the payment, its link and the settings are there'

[ "$booted" ] || stop
dpkg --remove admit-one
[ ! -e /usr/bin/admit-one ] && [ ! -e "$unit" ] || fail 'it is removed and still there'
if [ "$booted" ]; then
  ! systemctl is-active --quiet admit-one || fail 'it is removed and still runs'
fi
[ -s "$data/keys.json" ] && [ -s "$data/dynamodb.sqlite" ] && [ -s "$settings" ] || fail 'data or settings went with the package'
dpkg --install package.deb
if [ "$booted" ]; then is 'what was enabled' "$(systemctl is-enabled admit-one)" enabled; fi
start
is_kept
stop
# As docs/ONE_MACHINE.md says it.
tar -C / -czpf backup.tgz var/lib/admit-one etc/admit-one
report 'removed; data and settings stay, and are taken up by the next installation'

dpkg --purge admit-one
for path in "$data" "${settings%/*}"; do
  [ ! -e "$path" ] || fail "$path is there after the purge"
done
is 'what is left of the service' "$(find /etc/systemd /var/lib/systemd -name 'admit-one*')" ''
is 'the user that stays' "$(getent passwd admit-one | cut -d: -f7)" /usr/sbin/nologin
report 'purged; data, keys and settings are gone'

dpkg --install package.deb
tar -C / -xzpf backup.tgz
chown -R admit-one: "$data"
start
is_kept
stop
report 'restored from a backup'
