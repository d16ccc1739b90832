#!/bin/sh
# The operator: does things to the Supervisor and notes what systemd says then.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

fact() { echo "$1=$2" >>/srv/out/facts; }
of() { systemctl show hab-sup -p "$1" --value; }
state() { echo "$(of ActiveState), $(of StatusText)"; }
service() { hab svc status 2>/dev/null | awk '/hello.default/ && $4 == "up" { print $6 }'; }

# until CONDITION…: about half a minute at most
until_true() {
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || return 1
    sleep 0.1
  done
}
is_up() { [ -n "$(service)" ] && [ "$(of StatusText)" = "1 of 1 services up" ]; }
is_another() { is_up && [ "$(service)" != "$1" ]; }
supervisor() { pgrep -x hab-sup; }
has_another_supervisor() { supervisor >/dev/null && [ "$(supervisor)" != "$1" ] && is_up; }

fact ready "$(state)"

mkdir -p /srv/hello/hooks
cat >/srv/hello/hooks/run <<'HOOK'
#!/bin/sh
# Without the launcher nobody reads, and a shell that prints would die of that.
exec >/dev/null 2>&1
trap 'echo TERM >/srv/ended; exit' TERM
while :; do sleep 0.1; done
HOOK
hab svc load /srv/hello
until_true is_up
fact loaded "$(state)"
pid=$(service)
fact pid "$pid"

old=$(supervisor)
kill -9 "$old"
until_true has_another_supervisor "$old"
fact "supervisor killed" "$(state)"
fact "pid after that" "$(service)"

old=$(supervisor)
systemctl reload hab-sup
until_true has_another_supervisor "$old"
fact reloaded "$(state)"
fact "pid after reload" "$(service)"
fact "starts by systemd" "$(of NRestarts)"

kill -9 "$(of MainPID)"
until_true is_another "$pid"
fact "launcher killed" "$(state)"
fact "pid of the next" "$(service)"
fact "starts by systemd then" "$(of NRestarts)"
fact "ended by" "$(cat /srv/ended)"

# A service of another user that says to be the Supervisor.
mkdir -p /srv/liar/hooks
cat >/srv/liar/hooks/run <<'HOOK'
#!/bin/sh
sleep 1000 &
lie() { systemd-notify "$@"; }
echo "environment: ${NOTIFY_SOCKET:-nothing}" >{{pkg.svc_data_path}}/said
export NOTIFY_SOCKET=/run/systemd/notify
lie MAINPID=$! READY=1 STATUS=lies
lie STOPPING=1
echo done >>{{pkg.svc_data_path}}/said
wait
HOOK
echo 'user = "nobody"' >/srv/liar/roost.toml
hab svc load /srv/liar
lied() { grep -qx done /hab/svc/liar/data/said && [ "$(of StatusText)" = "2 of 2 services up" ]; }
until_true lied
launcher=$(pgrep -x hab-launch)
fact "told by the liar" "$(head -1 /hab/svc/liar/data/said)"
fact "after the lie" "$(state)"
fact "main process is the launcher" "$([ "$(of MainPID)" = "$launcher" ] && echo yes || echo no)"

systemctl stop hab-sup
fact stopped "$(of ActiveState), $(of Result)"
fact left "$(pgrep -c 'hab-(launch|sup)' || true)"
