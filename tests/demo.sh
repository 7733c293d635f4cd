#!/usr/bin/env bash
# The main job, live: 12 processes, a group of 3 slots, one holder that is killed, and a slotd that is
# killed and started anew while they run.
#
# Each job tells this script, through a pipe of their own, when it enters and leaves; what is
# counted at the end comes from there and not from slotd.  A job tells that it leaves before its
# slot is given back, so that the count never looks better than it was.
#
# SLOTD and SLOTCTL name the programs; on a terminal the picture is drawn in place.
set -u
export LC_ALL=C                 # a decimal point in EPOCHREALTIME

limit=3
n_jobs=12
victim=5                        # works until it is killed

# ---------------------------------------------------------------- one job (run by slotctl)

if [ "${1-}" = job ]; then
	n=$2 pipe=$3
	echo "enter $n $SLOT_NUMBER $EPOCHREALTIME" >"$pipe"
	((n == victim)) && sleep 60
	sleep "0.$((6 + n % 4))"        # its work
	echo "leave $n $SLOT_NUMBER $EPOCHREALTIME" >"$pipe"
	exit
fi

# ---------------------------------------------------------------- the picture

us() { echo "${1/./}"; }        # of EPOCHREALTIME
start=$(us "$EPOCHREALTIME")
seconds() { printf '%d.%03d' $(($1 / 1000000)) $(($1 / 1000 % 1000)); }

waiting() {
	local n
	for n in "${!asked[@]}"; do printf ' %d' "$n"; done
}

# say WHAT [keep]: what has just happened; keep: it stays above the picture.
say() {
	local slot
	if [ ! -t 1 ]; then
		printf '%s s  %-44s running %d, waiting %d\n' "$(seconds $((now - start)))" "$1" \
			"$inside" "${#asked[@]}"
		return
	fi
	((drawn)) && printf '\033[%dA' $((limit + 3))
	drawn=1
	[ -n "${2-}" ] && printf '   %s s  %s\033[K\n' "$(seconds $((now - start)))" "$1"
	printf '\033[K\n'
	for ((slot = 1; slot <= limit; slot++)); do
		printf '   slot %d   %s\033[K\n' "$slot" "${runs[$slot]:+job ${runs[$slot]}}"
	done
	printf '   waiting %s\033[K\n' "$(waiting)"
	printf '   %s s  %s\033[K\n' "$(seconds $((now - start)))" "$1"
}

# ---------------------------------------------------------------- the run

slotd=${SLOTD:-build/slotd} slotctl=${SLOTCTL:-build/slotctl}
dir=$(mktemp -d "${TMPDIR:-/tmp}/slotd-demo-XXXXXX") || exit
declare -a runs=() asked=() pids=()
granted=0 inside=0 peak=0 twice=0 longest=0 drawn=0 kill_slot='' kill_time='' moved='' restarted='' over=0

finish() {
	local n
	for n in "${!pids[@]}"; do kill -9 -- "-${pids[$n]}" 2>/dev/null; done
	kill "$daemon" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$dir"
}
fail() {
	echo "demo: FAILED: $1" >&2
	sed 's/^/  slotd: /' "$dir/log" >&2
	exit 1
}

start_slotd() {
	"$slotd" --config /dev/null --socket "$dir/sock" 2>>"$dir/log" &
	daemon=$!
}

mkfifo "$dir/pipe" && exec 3<>"$dir/pipe" || exit
start_slotd
trap finish EXIT
trap 'exit 130' INT TERM
export SLOTD_SOCKET=$dir/sock

# The first job that gets through shows that slotd is there.
"$slotctl" run ready --limit 1 --wait 5s -- true || fail "slotd does not answer"
echo "$n_jobs processes, and a group of $limit slots:  slotctl run demo --limit $limit -- job"

start=$(us "$EPOCHREALTIME")
for ((n = 1; n <= n_jobs; n++)); do
	asked[n]=$(us "$EPOCHREALTIME")
	# A process group of its own, so that all of it can be killed.
	setsid "$slotctl" run demo --limit $limit --label "job$n" -- bash "$0" job $n "$dir/pipe" &
	pids[n]=$!
done

while ((over < n_jobs)); do
	read -r -t 20 what n slot time <&3 || fail "nothing has happened for 20 s"
	now=$(us "$time")
	case $what in
	enter)
		((granted++, inside++, inside > peak)) && peak=$inside
		[ -n "${runs[$slot]-}" ] && twice=$slot
		((now - asked[n] > longest)) && longest=$((now - asked[n]))
		runs[slot]=$n
		unset "asked[$n]"
		say "job $n runs in slot $slot"
		if [ "$slot" = "$kill_slot" ] && [ -z "$moved" ]; then
			moved=$((now - kill_time))
			say "slot $slot has moved on to job $n" keep
		fi
		;;
	leave)
		((over++, inside--))
		unset "runs[$slot]"
		say "job $n is done"
		;;
	esac
	# In the middle of it, one that has just begun dies; its slot is noted as left before.
	if [ "$what $n" = "enter $victim" ]; then
		kill_slot=$slot
		((over++, inside--))
		unset "runs[$slot]"
		now=$(us "$EPOCHREALTIME")
		say "kill -9: job $n in slot $slot" keep
		kill_time=$(us "$EPOCHREALTIME")
		disown "${pids[$n]}"            # bash need not tell of it
		kill -9 -- "-${pids[$n]}"
		unset "pids[$n]"
	fi
	# Later slotd itself does; the jobs run on in their slots, and the others wait on.
	if [ -z "$restarted" ] && ((granted == 8)); then
		restarted=$inside
		now=$(us "$EPOCHREALTIME")
		{ kill -9 "$daemon" && wait "$daemon"; } 2>/dev/null    # bash need not tell of it
		start_slotd
		say "kill -9: slotd; another one is started" keep
	fi
done

# ---------------------------------------------------------------- the proof

verdict=
for n in "${!pids[@]}"; do
	wait "${pids[$n]}" || verdict="job $n ended with status $?"
	unset "pids[$n]"
done
((granted == n_jobs)) || verdict="only $granted of $n_jobs jobs got a slot"
((peak == limit)) || verdict="peak inside $peak, and the limit is $limit"
((twice == 0)) || verdict="slot $twice was held twice at once"
[ -n "$moved" ] || verdict="the slot of the killed job did not move on"
[ -z "$verdict" ] || fail "$verdict"
echo "demo: granted $granted of $n_jobs, peak inside $peak (limit $limit), longest wait" \
	"$(seconds "$longest") s; the killed job's slot moved on in $((moved / 1000)).$((moved / 100 % 10)) ms;" \
	"slotd was killed and started anew under $restarted jobs, and all ran on"
