#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# lint.sh [--fix]: checks every file that git has or would take. Prints what is
# wrong and one line at the end. With --fix it formats the C files instead.
set -uo pipefail

max_function=80
max_file=500
failed=()

cd "$(dirname "$0")/.." || exit 1

# Prints the files of the tree that match any of the patterns.
files()
{
	local file

	git ls-files --cached --others --exclude-standard -- "$@" | sort -u |
		while IFS= read -r file; do
			[[ -f $file ]] && echo "$file"
		done
}

# Prints the files whose first line asks for the interpreter $1.
scripts_of()
{
	local file line

	files | while IFS= read -r file; do
		line=
		IFS= read -r line 2>/dev/null <"$file"
		[[ $line == '#!'*"$1"* ]] && echo "$file"
	done
}

# Runs the check $2... under the name $1 and remembers whether it failed.
check()
{
	if "${@:2}"; then
		echo "lint: $1: ok"
	else
		echo "lint: $1: FAILED"
		failed+=("$1")
	fi
}

check_format()
{
	local -a sources

	mapfile -t sources < <(files '*.c' '*.h')
	[[ ${#sources[@]} == 0 ]] || clang-format --dry-run -Werror "${sources[@]}"
}

# The macros of libbpf hide types from cppcheck, so they are spelled out here (a
# semicolon would end them: a loop is a loop, whatever its kind);
# system headers are not read. Arithmetic on void pointers is GNU C, as the tree.
# It takes every array that a function is to fill for one that must be filled
# already (uninitvar, ctuuninitvar); the compiler warns of the real ones.
check_cppcheck()
{
	local -a sources

	mapfile -t sources < <(files '*.c')
	[[ ${#sources[@]} == 0 ]] && return 0
	cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
		--enable=warning,performance,portability \
		--suppress=missingIncludeSystem --suppress=arithOperationsOnVoidPointer \
		--suppress=ctuuninitvar '--suppress=uninitvar:selftests/*' \
		'-DSEC(x)=' '-D__always_inline=inline' '-D__noinline=' '-D__hidden=' '-D__weak=' \
		'-D__uint(name,val)=int name' '-D__type(name,val)=int name' \
		'-D__ulong(name,val)=int name' '-D__array(name,val)=int name' \
		'-D__VA_OPT__(...)=__VA_ARGS__' \
		'-DcJSON_ArrayForEach(item_,list_)=while ((item_ = (list_)->child))' \
		'-DLIBBPF_OPTS(type,name,...)=struct type name = { __VA_ARGS__ }' \
		'-DDECLARE_LIBXDP_OPTS(type,name,...)=struct type name = { __VA_ARGS__ }' \
		-Iinclude -Iloader -Iagent -Ibpf "${sources[@]}"
}

check_shellcheck()
{
	local -a sources

	mapfile -t sources < <({ scripts_of bash; scripts_of /sh; files '*.sh'; } | sort -u)
	[[ ${#sources[@]} == 0 ]] || shellcheck -x "${sources[@]}"
}

# Compiles without leaving anything behind.
check_python()
{
	local -a sources

	mapfile -t sources < <({ scripts_of python; files '*.py'; } | sort -u)
	[[ ${#sources[@]} == 0 ]] && return 0
	/usr/bin/python3 - "${sources[@]}" <<'END'
import sys

status = 0
for path in sys.argv[1:]:
    try:
        compile(open(path).read(), path, "exec")
    except SyntaxError as error:
        print(f"{path}:{error.lineno}: {error.msg}")
        status = 1
sys.exit(status)
END
}

# Functions of C and shell open and close with a brace in the first column.
check_function_length()
{
	local -a sources

	mapfile -t sources < <(files '*.c' '*.h' '*.sh')
	[[ ${#sources[@]} == 0 ]] && return 0
	awk -v max="$max_function" '
		FNR == 1 { start = 0 }
		/^\{/ { start = FNR; name = last }
		/^\}/ && start {
			lines = FNR - start + 1
			if (lines > max) {
				printf "%s:%d: %d lines: %s\n", FILENAME, start, lines, name
				bad = 1
			}
			start = 0
		}
		/^[[:alnum:]_]/ { last = $0 }
		END { exit bad }' "${sources[@]}"
}

check_file_length()
{
	local file lines status=0

	while IFS= read -r file; do
		lines=$(wc -l <"$file")
		if ((lines > max_file)); then
			echo "$file: $lines lines"
			status=1
		fi
	done < <(files '*.c' '*.h' '*.sh' '*.py' '*.mk' Makefile selftests/run)
	return "$status"
}

check_licence()
{
	local file status=0

	while IFS= read -r file; do
		if ! head -n 2 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause'; then
			echo "$file: no licence line at the top"
			status=1
		fi
	done < <({ files '*.c' '*.h' '*.sh' '*.py' '*.mk' Makefile; scripts_of /; } | sort -u)
	return "$status"
}

# The newest clang builds, but whoever has only an older one must get objects
# too: clang before 15 divides signed numbers by calls, and compares bytes so.
check_compilers()
{
	local clang include dir status=0 PATH=$PATH:/usr/sbin

	dir=$(mktemp -d)
	include="-idirafter/usr/include/$(cc -dumpmachine)"
	for clang in $(compgen -c clang- | grep -E '^clang-[0-9]+$' | sort -u); do
		if ! "$clang" -target bpf -mcpu=v3 -g -O2 -Wall -Wextra -Werror \
			-Wno-unused-parameter -Iinclude -Ibpf "$include" \
			-c bpf/natxdp.bpf.c -o "$dir/tmp.o" 2>"$dir/errors" ||
			! bpftool gen object "$dir/$clang.o" "$dir/tmp.o" 2>>"$dir/errors"; then
			head -n 5 "$dir/errors"
			echo "bpf/natxdp.bpf.c: not with $clang"
			status=1
		fi
	done
	rm -rf "$dir"
	return "$status"
}

# Nothing of the machine on which it was written belongs into the tree.
check_paths()
{
	local -a all

	mapfile -t all < <(files)
	! grep -nIE '(^|[^[:alnum:]_.-])/(wor[k]|roo[t]|home/[a-z0-9]+)/' "${all[@]}"
}

check_whitespace()
{
	local -a all

	# what a fuzzer has found is as it is
	mapfile -t all < <(files | grep -v '^selftests/fuzz/seeds/')
	! grep -nIE '[[:space:]]+$' "${all[@]}"
}

if [[ ${1-} == --fix ]]; then
	mapfile -t sources < <(files '*.c' '*.h')
	[[ ${#sources[@]} == 0 ]] || clang-format -i "${sources[@]}"
	exit
fi

check "clang-format (make fmt mends it)" check_format
check cppcheck check_cppcheck
check shellcheck check_shellcheck
check "python syntax" check_python
check "BPF with every clang that is here" check_compilers
check "functions of at most $max_function lines" check_function_length
check "files of at most $max_file lines" check_file_length
check "licence lines" check_licence
check "no paths of one machine" check_paths
check "no trailing blanks" check_whitespace

if [[ ${#failed[@]} != 0 ]]; then
	echo "lint: ${#failed[@]} checks failed"
	exit 1
fi
echo "lint: all checks passed"
