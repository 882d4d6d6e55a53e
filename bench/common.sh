# What the scripts of bench/ share; they read it with ".", from the project's folder.
# shellcheck shell=sh
page=$PWD/docs/performance.md

# The program that all of them are about.
need_dist() {
    if [ ! -x target/dist/unshared-cli ]; then
        echo "$0: there is no target/dist/unshared-cli: run make first" >&2
        exit 1
    fi
}

# DIRECTORY PROGRAM...: compiles bench/PROGRAM.c into it, linked with musl wherever it is: glibc asks the
# processor what it is (cpuid) at every start, which in a virtual machine can take as long as the rest.
# $libc says what it was.
compile() {
    into=$1
    shift
    # musl-gcc is a cc with these specs.
    specs=/usr/lib/$(uname -m)-linux-musl/musl-gcc.specs
    if [ -e "$specs" ]; then
        cc="cc -specs $specs" libc=musl
    else
        cc=cc libc="the C library of cc"
        echo "$0: without musl (Debian: musl-dev) the start of another C library is measured too" >&2
    fi
    mkdir -p "$into"
    for program; do
        $cc -O2 -static -Wall -Wextra -o "$into/$program" "bench/$program.c"
    done
}

# Where this is measured.
machine() {
    echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r)"
}

# NAME: puts standard input into docs/performance.md as the section of bench/NAME, where it was, or at the
# end.
write_section() {
    section=$(mktemp)
    { echo "<!-- bench/$1 -->" && cat && echo "<!-- end of bench/$1 -->"; } >"$section"
    whole=$(awk -v section="$section" -v begin="<!-- bench/$1 -->" -v end="<!-- end of bench/$1 -->" '
        $0 == begin { while ((getline line <section) > 0) print line; inside = written = 1 }
        !inside { print }
        $0 == end { inside = 0 }
        END { if (!written) { print ""; while ((getline line <section) > 0) print line } }
    ' "$page")
    printf '%s\n' "$whole" >"$page"
    rm "$section"
}
