#!/bin/sh
# The converter of an image: from format 1 (subscriber.1.sip.user=…) to format 2 (line/1/account/user=…).
# Its arguments are the kind, the format of the file and the format wanted.
exec awk -v wanted="$3" '
BEGIN {
    word["subscriber"] = "line"; word["number"] = "directory-number"; word["name"] = "display-name"
    word["sip"] = "account"; word["mgcp"] = "call-agent"; word["admin"] = "administrative-state"; word["gain"] = "level"
}
NR == 1 { sub(/format=[0-9]+/, "format=" wanted); print; next }
{
    at = index($0, "="); parts = split(substr($0, 1, at - 1), part, "."); key = ""
    for (i = 1; i <= parts; i++) key = key (i > 1 ? "/" : "") (part[i] in word ? word[part[i]] : part[i])
    print key substr($0, at)
}'
