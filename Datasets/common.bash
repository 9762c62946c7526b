# Functions of the `prepare` scripts; each sets `here` to its folder first.
set -euo pipefail
data="$here/data"

fail() {
    echo "prepare: $*" >&2
    exit 65
}

# is_right FILE SHA256: true for a file with this content.
is_right() {
    [ -f "$1" ] && [ "$(sha256sum < "$1" | cut -d ' ' -f 1)" = "$2" ]
}

# unpack_gzip FROM TO [SHA256 of FROM]: nothing to do if TO is newer than FROM.
unpack_gzip() {
    local from="$1" to="$2" sum="${3:-}"
    [ -f "$from" ] || fail "$from is missing; $here/README.md says where it comes from"
    if [ -n "$sum" ] && ! is_right "$from" "$sum"; then
        fail "$from has another checksum than $sum: damaged, or another version"
    fi
    if [ -f "$to" ] && [ "$to" -nt "$from" ]; then
        echo "there: $to"
        return
    fi
    mkdir -p "$data"
    gzip -dc "$from" > "$to.tmp" || { rm -f "$to.tmp"; fail "$from cannot be unpacked: damaged"; }
    mv "$to.tmp" "$to"
    echo "unpacked: $to"
}
