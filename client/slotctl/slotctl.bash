# bash completion for slotctl(1)

# Words are split at blanks here: COMP_WORDS is split at "=" and ":" too, and groups may have those.
_slotctl()
{
	local line=${COMP_LINE:0:COMP_POINT} words cur command= group= options= prefix name i
	local socket=() names=()
	local hold='--limit --wait --nonblock --conflict-exit-code --count --label --hold --quiet'
	local commands='run acquire list status holders waiters stats ping ps top why
		limit pause resume history evict audit drain reload grace metrics'
	local watch='--watch --interval' all='--socket --help --version'

	COMPREPLY=()
	read -ra words <<<"$line"
	[[ $line == *[[:blank:]] ]] && words+=('')
	cur=${words[-1]}

	# What has been said before the word at the cursor.
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		case ${words[i]} in
		--socket)
			socket=(--socket "${words[i + 1]}")
			((i++)) ;;
		--socket=*)
			socket=("${words[i]}") ;;
		-[lwE] | --limit | --wait | --conflict-exit-code | --count | --label | --hold | \
			--on-lost | --kill-after | --interval | --output | --delay | --token)
			((i++)) ;;
		-[nd])
			[[ $command == top ]] && ((i++)) ;;
		-*) ;;
		*)
			if [[ ! $command ]]; then
				command=${words[i]}
			elif [[ ! $group ]]; then
				group=${words[i]}
			elif [[ $command == run ]]; then
				compopt -o default      # an argument of the wrapped command
				return
			fi ;;
		esac
	done

	# The value of an option: then the loop has stepped over the cursor.
	if ((i > ${#words[@]} - 1)); then
		case ${words[-2]} in
		--socket | --output) compopt -o default ;;
		--on-lost) mapfile -t COMPREPLY < <(compgen -W 'term warn' -- "$cur") ;;
		esac
		return
	fi

	case $command in
	'') options=$all ;;
	run) options="$hold --verbose --close --on-lost --strict --kill-after $all" ;;
	acquire) options="$hold --verbose $all" ;;
	list) options="--json --names $watch $all" ;;
	status | holders | waiters | ps) options="--json $watch $all" ;;
	top) options="--batch --once --delay --count --no-color --json $all" ;;
	evict) options="--json --token $all" ;;
	audit) options="--json --fix $all" ;;
	metrics) options="--output $all" ;;
	grace) options="--json --yes $all" ;;
	limit) options="--json --for --why --clear $all" ;;
	pause) options="--json --for --why $all" ;;
	resume) options="--json --why $all" ;;
	why) options="--limit --count --json $all" ;;
	*) options="--json $all" ;;
	esac

	case $cur in
	--on-lost=*)
		mapfile -t COMPREPLY < <(compgen -W '--on-lost=term --on-lost=warn' -- "$cur") ;;
	-*)
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur") ;;
	*)
		case $command in
		'')
			mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
		drain)
			[[ $group ]] || mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$cur") ;;
		grace)
			[[ $group ]] || mapfile -t COMPREPLY < <(compgen -W 'end' -- "$cur") ;;
		run | acquire | list | status | holders | waiters | ps | evict | why | limit | pause | resume | history)
			if [[ ! $group ]]; then
				# Not by compgen -W, which would expand a name such as $(x).
				mapfile -t names < <("$1" "${socket[@]}" list --names 2>/dev/null)
				for name in "${names[@]}"; do
					[[ $name == "$cur"* ]] && COMPREPLY+=("$(printf %q "$name")")
				done
			elif [[ $command == run ]]; then
				mapfile -t COMPREPLY < <(compgen -A command -- "$cur")
			fi ;;
		esac ;;
	esac

	# readline replaces only what is behind the last break.
	prefix=${cur%"${cur##*[:=]}"}
	[[ $COMP_WORDBREAKS == *[:=]* ]] && COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
}

complete -F _slotctl slotctl
