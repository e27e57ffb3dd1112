#!/bin/bash
# Runs within a container whose first process is systemd: installs the unit as a user does, and tries what systemd does with it.
# Writes `ok name` or `no name: what was seen`, one a line.
out=/var/checked
rystra() { /opt/node/bin/node /opt/rystra/cli/bin/run.js "$@"; }
check() { # name, command …
  local name=$1 seen
  shift
  if seen=$("$@" 2>&1); then echo "ok $name" >> $out; else echo "no $name: ${seen:0:1500}" | tr '\n' ' ' >> $out; echo >> $out; fi
}
value() { systemctl show --property "$1" --value rystra; }
# Waits up to 30 s for a command to succeed.
within() { for _ in {1..150}; do "$@" && return; sleep 0.2; done; systemctl status --no-pager --full rystra; return 1; }
active() { [ "$(value ActiveState)" = active ]; }
listens() { exec 3<> /dev/tcp/127.0.0.1/7000 && exec 3<&-; } 2> /dev/null
uid() { awk '/^Uid:/ { print $2 }' "/proc/$(value MainPID)/status"; }
another() { [ "$(value MainPID)" != "$1" ] && [ "$(value MainPID)" != 0 ]; }

cd /etc/rystra
check "service:install starts it, and returns when it is ready" rystra service:install --config /etc/rystra/rystra.config.yaml
check "it is active" within active
check "it accepts connections" within listens
check "it runs as a user of its own (DynamicUser)" test "$(uid)" -gt 60000
check "its state folder is its own" test "$(stat -Lc '%a' /var/lib/rystra)" = 700
check "it can write nothing else" test ! -w "/proc/$(value MainPID)/root/etc/rystra" -o "$(findmnt -no OPTIONS -N "$(value MainPID)" / | grep -c '\bro\b')" = 1
check "it has no capabilities" grep -q '^CapEff:.0000000000000000' "/proc/$(value MainPID)/status"
check "service:status says so" rystra service:status
pid=$(value MainPID)
check "systemctl reload is a reload of the configuration" systemctl reload rystra
check "which keeps the process" test "$(value MainPID)" = "$pid"
check "rystra reload is in its log" within bash -c 'journalctl --unit rystra --no-pager | grep -qi reloaded'
kill -KILL "$pid"
check "a process that is killed is started again" within another "$pid"
check "and is ready again" within active
mkdir -p /run/systemd/system/rystra.service.d
printf '[Service]\nWatchdogSec=4\n' > /run/systemd/system/rystra.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart rystra
pid=$(value MainPID)
sleep 9
check "the watchdog is fed" test "$(value MainPID)" = "$pid"
kill -STOP "$pid"
check "a process whose event loop stands still is ended by the watchdog" within another "$pid"
check "and another is ready" within active
rm -r /run/systemd/system/rystra.service.d
systemctl daemon-reload
echo 'server: { nothing: here }' > rystra.config.yaml
systemctl restart rystra
check "a configuration that is not valid ends with 2" within test "$(value ExecMainStatus)" = 2
sleep 4
check "and is not tried again" test "$(value ActiveState)" = failed
check "service:uninstall removes it" rystra service:uninstall
check "and nothing is left of the unit" test ! -e /etc/systemd/system/rystra.service
echo over >> $out
systemctl poweroff --force --force
