#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# One firing of a schedule: run_schedule.sh SETTINGS [--status]
# Runs the playbook that SETTINGS names, refuses to overlap an earlier firing, and leaves the last result as JSON.
# Exit status: the playbook's own; 75 when an earlier firing still runs; 2 when the settings cannot be read.
set -uo pipefail
umask 077

settings=${1:?usage: run_schedule.sh SETTINGS [--status]}
# shellcheck source=/dev/null
. "$settings" || exit 2

result_file=$STATE_DIRECTORY/$NAME.json
refused_file=$STATE_DIRECTORY/$NAME.refused.json
day_file=$STATE_DIRECTORY/$NAME.day # "started DATE" or "done DATE", in the schedule's own time zone
lock_file=$STATE_DIRECTORY/$NAME.lock
started=null ended=null rc=null word=never previous=null child='' stopped='' today=''

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

say() { printf '%s schedule %s: %s\n' "$(now)" "$NAME" "$1" >>"$LOG"; }

json_string() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  printf '"%s"' "${text//[[:cntrl:]]/ }"
}

result_json() {
  printf '{"schedule": %s, "playbook": %s, "started": %s, "ended": %s, "rc": %s, "result": "%s", "log": %s, "previous": %s}\n' \
    "$(json_string "$NAME")" "$(json_string "$PLAYBOOK")" "$started" "$ended" "$rc" "$word" "$(json_string "$LOG")" "$previous"
}

# Readers never see half a file: written beside it, then renamed.
record() { result_json >"$1.new" && mv -f "$1.new" "$1"; }

result_of() { sed -n 's/.*"result": "\([a-z]*\)".*/\1/p' "$1" 2>/dev/null; }

# The lock is inherited by the playbook: it is free only when nothing of the last firing is left, however that ended.
last_run_was_killed() { [ "$(result_of "$result_file")" = running ] && flock --nonblock "$lock_file" true; }

status() {
  if [ ! -e "$result_file" ]; then
    result_json
  elif last_run_was_killed; then
    sed 's/"result": "running"/"result": "killed"/' "$result_file"
  else
    cat "$result_file"
  fi
}

minutes() { echo $((10#${1%:*} * 60 + 10#${1#*:})); }

# Cron knows only the machine's time zone. For another one it fires every quarter of an hour, which hits every offset
# in use, and this decides. The window lets the skipped hour of a clock change, and a killed run, be caught up with.
due() {
  [ -n "$TIME_ZONE" ] || return 0
  local clock at
  today=$(TZ=$TIME_ZONE date +%F)
  clock=$(minutes "$(TZ=$TIME_ZONE date +%H:%M)")
  at=$(minutes "$AT")
  [[ " $DAYS " == *" $(TZ=$TIME_ZONE date +%u) "* ]] || return 1
  ((clock >= at && clock * 60 < at * 60 + WINDOW)) || return 1
  [ "$(cat "$day_file" 2>/dev/null)" != "done $today" ]
}

mark_day() { [ -z "$TIME_ZONE" ] || echo "$1 $today" >"$day_file"; }

# A notification never changes the exit status, and neither its command nor its URL is seen in the process list.
notify() {
  local file=$1
  if [ -n "$NOTIFY_COMMAND" ]; then
    # shellcheck disable=SC2016 # the inner shell expands it, so that the command line does not show it
    NOTIFY_COMMAND=$NOTIFY_COMMAND SCHEDULE_NAME=$NAME SCHEDULE_RESULT=$word SCHEDULE_RC=$rc SCHEDULE_LOG=$LOG \
      timeout 60 bash -c 'eval "$NOTIFY_COMMAND"' <"$file" >>"$LOG" 2>&1 9>&- || say "the notification command failed"
  fi
  if [ -n "$NOTIFY_URL" ]; then
    printf 'url = %s\n' "$(json_string "$NOTIFY_URL")" |
      curl --config - --fail --silent --show-error --max-time 60 --header 'Content-Type: application/json' \
        --data-binary "@$file" --output /dev/null >>"$LOG" 2>&1 9>&- || say "the notification to the URL failed"
  fi
  if [ -n "$NOTIFY_MAIL" ]; then
    {
      printf 'To: %s\nSubject: schedule %s: %s\n\n' "$NOTIFY_MAIL" "$NAME" "$word"
      cat "$file"
    } | timeout 60 "$SENDMAIL" -t -i >>"$LOG" 2>&1 9>&- || say "the notification by mail failed"
  fi
}

refuse() {
  # In its own time zone a schedule fires several times a day: the later ones meet the first, which is no news.
  [ -n "$TIME_ZONE" ] && [ "$(cat "$day_file" 2>/dev/null)" = "started $today" ] && exit 0
  started="\"$(now)\"" ended=$started rc=75 word=overlap
  record "$refused_file"
  say "refused to start: an earlier firing still runs"
  echo "schedule $NAME: refused to start, an earlier firing still runs" >&2
  notify "$refused_file"
  exit 75
}

# Stopped while it waits or runs: end the playbook, then say so.
stop() {
  stopped=1
  [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
}

wait_for_child() {
  local status
  while :; do
    wait "$child"
    status=$?
    kill -0 "$child" 2>/dev/null || return "$status"
  done
}

# A playbook that was told to end has 60 seconds to do so.
run_playbook() {
  if ((JITTER > 0)); then
    sleep $((RANDOM * (JITTER + 1) / 32768)) 9>&- &
    child=$!
    wait_for_child
  fi
  [ -z "$stopped" ] || return 143
  (
    set -a
    # shellcheck source=/dev/null
    . "$ENVIRONMENT_FILE" && cd "$PROJECT" || exit 2
    set +a
    exec timeout --kill-after=60 "$TIMEOUT" "$ANSIBLE_PLAYBOOK" "${ARGUMENTS[@]}" "$PLAYBOOK"
  ) >>"$LOG" 2>&1 </dev/null &
  child=$!
  wait_for_child
}

word_for() {
  if [ -n "$stopped" ]; then
    echo stopped
  elif ((rc == 0)); then
    echo ok
  elif ((rc == 124 || (rc == 137 && TIMEOUT > 0 && SECONDS >= TIMEOUT))); then
    echo timeout
  elif ((rc == 4)); then
    echo unreachable
  else
    echo failed
  fi
}

main() {
  due || exit 0
  exec 9>>"$lock_file"
  # Two seconds, because `--status` may hold the lock for an instant.
  flock --wait 2 9 || refuse
  case $(result_of "$result_file") in
    running) previous='"killed"' ;;
    ?*) previous="\"$(result_of "$result_file")\"" ;;
  esac
  trap stop TERM INT HUP
  export PATH="${ANSIBLE_PLAYBOOK%/*}:$PATH:/usr/local/bin:/usr/sbin:/sbin" LC_ALL=${LC_ALL:-C.UTF-8}
  started="\"$(now)\"" word=running
  mark_day started
  record "$result_file"
  say "starting $PLAYBOOK"
  SECONDS=0
  run_playbook
  rc=$?
  word=$(word_for) ended="\"$(now)\""
  say "$word, exit status $rc, after $SECONDS seconds"
  record "$result_file"
  mark_day "done"
  [ "$word" = ok ] || notify "$result_file"
  exit "$rc"
}

if [ "${2:-}" = --status ]; then
  status
else
  main
fi
