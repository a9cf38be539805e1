# Turns a Debian package index (apt-cache dumpavail, a Packages file) into the text format of COPY, one line a package:
# name, version, architecture, section, installed size (kB), size (bytes), maintainer, description.
#
# Of several stanzas for one package the newest version is taken, of equal ones the first. What is missing is NULL.

function order_of(character) {
    if (character == "~") return -1
    if (character ~ /[A-Za-z]/) return index(LETTERS, character)
    return character == "" ? 0 : 100 + index(OTHERS, character)
}

# Debian's order of upstream versions and revisions: runs of other characters and of digits in turn.
function compare_parts(a, b,    x, y, i) {
    while (a != "" || b != "") {
        match(a, /^[^0-9]*/); x = substr(a, 1, RLENGTH); a = substr(a, RLENGTH + 1)
        match(b, /^[^0-9]*/); y = substr(b, 1, RLENGTH); b = substr(b, RLENGTH + 1)
        for (i = 1; i <= length(x) || i <= length(y); i++)
            if (order_of(substr(x, i, 1)) != order_of(substr(y, i, 1)))
                return order_of(substr(x, i, 1)) - order_of(substr(y, i, 1))
        match(a, /^[0-9]*/); x = substr(a, 1, RLENGTH); a = substr(a, RLENGTH + 1)
        match(b, /^[0-9]*/); y = substr(b, 1, RLENGTH); b = substr(b, RLENGTH + 1)
        sub(/^0+/, "", x); sub(/^0+/, "", y)
        # As text, because a run of digits may be a date and a time.
        if (length(x) != length(y)) return length(x) - length(y)
        if (x "" != y "") return x "" < y "" ? -1 : 1
    }
    return 0
}

function epoch(version) {
    return match(version, /^[0-9]+:/) ? substr(version, 1, RLENGTH - 1) + 0 : 0
}

function upstream(version) {
    sub(/^[0-9]+:/, "", version)
    sub(/-[^-]*$/, "", version)
    return version
}

function revision(version) {
    return match(version, /-[^-]*$/) ? substr(version, RSTART + 1) : "0"
}

function compare_versions(a, b,    order) {
    if (epoch(a) != epoch(b)) return epoch(a) - epoch(b)
    order = compare_parts(upstream(a), upstream(b))
    return order ? order : compare_parts(revision(a), revision(b))
}

function text(value) {
    if (value == "") return "\\N"
    gsub(/\\/, "\\\\\\\\", value)
    gsub(/\t/, "\\t", value)
    gsub(/\r/, "\\r", value)
    gsub(/\n/, "\\n", value)
    return value
}

function number(value) {
    return value ~ /^[0-9]+$/ ? value : "\\N"
}

function end_of_stanza(    name) {
    name = field["package"]
    if (name != "" && field["version"] != "") {
        if (!(name in version)) names[++count] = name
        if (!(name in version) || compare_versions(field["version"], version[name]) > 0) {
            version[name] = field["version"]
            line[name] = text(name) "\t" text(field["version"]) "\t" text(field["architecture"]) "\t" \
                text(field["section"]) "\t" number(field["installed-size"]) "\t" number(field["size"]) "\t" \
                text(field["maintainer"]) "\t" text(field["description"])
        }
    }
    split("", field)
    current = ""
}

BEGIN {
    LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    OTHERS = "+-.:"
}

/^[ \t]*$/ { end_of_stanza(); next }

# A continuation; a lone full stop stands for an empty line.
/^[ \t]/ {
    if (current != "") field[current] = field[current] "\n" ($0 ~ /^[ \t]+\.[ \t]*$/ ? "" : substr($0, 2))
    next
}

{
    colon = index($0, ":")
    if (colon == 0) { current = ""; next }
    current = tolower(substr($0, 1, colon - 1))
    if (current == "description-en") current = "description"
    value = substr($0, colon + 1)
    sub(/^[ \t]+/, "", value); sub(/[ \t\r]+$/, "", value)
    field[current] = value
}

END {
    end_of_stanza()
    for (i = 1; i <= count; i++) print line[names[i]]
}
