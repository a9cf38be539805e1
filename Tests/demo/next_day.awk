# Makes the feed of the next day from the feed of a day: every 50th package is gone, every 33rd has a new version, and
# beside every 60th there is a new one.

BEGIN { FS = OFS = "\t" }

NR % 50 == 25 { next }

NR % 33 == 0 {
    $2 = $2 "+next1"
    if ($6 != "\\N") $6 = $6 + 1024
}

{ print }

NR % 60 == 10 {
    $1 = $1 "-tomorrow"
    $2 = "1.0-1"
    $8 = "New on the next day"
    print
}
