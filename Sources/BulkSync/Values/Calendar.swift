// Dates as PostgreSQL counts them: days and microseconds since 2000-01-01, in the proleptic Gregorian calendar.

import Foundation

/// The arithmetic of the calendar, without time zones.
enum CivilCalendar {
    /// The number of days from 2000-01-01 to a date.
    static func days(year: Int, month: Int, day: Int) -> Int {
        // Years begin in March here, so that the leap day is the last of its year.
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 730_425
    }

    /// The date a number of days after 2000-01-01.
    static func date(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 730_425
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    static func isValid(year: Int, month: Int, day: Int) -> Bool {
        guard (1...12).contains(month), day >= 1 else { return false }
        let (_, sameMonth, sameDay) = date(days: days(year: year, month: month, day: day))
        return month == sameMonth && day == sameDay
    }

    /// Splits a count into whole units and a rest that is not negative.
    static func split(_ value: Int64, by unit: Int64) -> (whole: Int64, rest: Int64) {
        let rest = value % unit
        return rest < 0 ? (value / unit - 1, rest + unit) : (value / unit, rest)
    }

    static func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value.magnitude)
        return (value < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

/// Points in time, to and from PostgreSQL's microseconds and text.
enum TimestampText {
    static let microsecondsPerDay: Int64 = 86_400_000_000
    /// From 2000-01-01 to 2001-01-01, where Foundation begins to count.
    private static let referenceSeconds = 31_622_400.0
    /// What the server's types reach: from 4713 BC to 294276 AD.
    private static let range: ClosedRange<Int64> = -211_813_488_000_000_000...9_223_371_331_199_999_999

    /// Microseconds since 2000-01-01 00:00 UTC, the extremes for the dates that stand for infinity, nil where the server's
    /// types do not reach.
    static func microseconds(_ date: Date) -> Int64? {
        let interval = date.timeIntervalSinceReferenceDate
        // Nearly all dates are nearer than those that stand for infinity, and need no call of a mathematical function.
        if interval.magnitude < 1e10 {
            var whole = Int64(interval)
            if Double(whole) > interval { whole -= 1 }
            let exact = (interval - Double(whole)) * 1_000_000
            let fraction = Int64(exact)
            let isRoundedUp = exact - Double(fraction) >= 0.5
            return (whole + Int64(referenceSeconds)) * 1_000_000 + fraction + (isRoundedUp ? 1 : 0)
        }
        if date == .distantFuture { return .max }
        if date == .distantPast { return .min }
        // Seconds and their fraction apart keep the microseconds exact where one floating-point product would not.
        let seconds = interval.rounded(.down)
        let fraction = ((interval - seconds) * 1_000_000).rounded()
        guard let whole = Int64(exactly: seconds + referenceSeconds), whole.magnitude < 9_223_372_036_854 else {
            return nil
        }
        let microseconds = whole * 1_000_000 + Int64(fraction)
        return range.contains(microseconds) ? microseconds : nil
    }

    /// The text of a date, in UTC: `2026-11-21 08:30:00.5+00`; nil where the server's types do not reach.
    static func text(_ date: Date) -> String? {
        guard let microseconds = microseconds(date) else { return nil }
        if microseconds == .max { return "infinity" }
        if microseconds == .min { return "-infinity" }
        let (days, rest) = CivilCalendar.split(microseconds, by: microsecondsPerDay)
        let (year, month, day) = CivilCalendar.date(days: Int(days))
        let shownYear = year > 0 ? year : 1 - year
        return
            "\(CivilCalendar.padded(shownYear, 4))-\(CivilCalendar.padded(month, 2))-\(CivilCalendar.padded(day, 2)) "
            + clock(rest) + "+00" + (year > 0 ? "" : " BC")
    }

    /// The text of a date in JSON: `2026-11-21T08:30:00.5+00:00`.
    static func isoText(_ date: Date) -> String? {
        text(date).map { text in
            text.replacing(" ", with: "T", maxReplacements: 1) + (text.hasSuffix("+00") ? ":00" : "")
        }
    }

    /// The text of a time of day: `08:30:00.5`.
    static func clock(_ microseconds: Int64) -> String {
        let (seconds, rest) = (microseconds / 1_000_000, Int(microseconds % 1_000_000))
        var text =
            CivilCalendar.padded(Int(seconds / 3600), 2) + ":" + CivilCalendar.padded(Int(seconds / 60 % 60), 2)
            + ":" + CivilCalendar.padded(Int(seconds % 60), 2)
        if rest != 0 {
            var fraction = CivilCalendar.padded(rest, 6)
            while fraction.last == "0" { fraction.removeLast() }
            text += "." + fraction
        }
        return text
    }

    /// Reads what the server writes into JSON: a date, or a date and a time with or without an offset; without one it is
    /// UTC.
    static func parse(_ text: String) -> Date? {
        if text == "infinity" { return .distantFuture }
        if text == "-infinity" { return .distantPast }
        var scanner = TextScanner(text)
        guard let date = scanner.date() else { return nil }
        var microseconds: Int64 = 0
        var offset: Int64 = 0
        var isBeforeChrist = scanner.skip(" BC")
        if scanner.skip("T") || scanner.skip(" ") {
            guard let time = scanner.clock() else { return nil }
            microseconds = time
            offset = scanner.skip("Z") ? 0 : scanner.offset() ?? 0
            isBeforeChrist = scanner.skip(" BC")
        }
        let year = isBeforeChrist ? 1 - date.year : date.year
        guard scanner.isAtEnd, CivilCalendar.isValid(year: year, month: date.month, day: date.day) else { return nil }
        // A column of type date reaches farther than microseconds in 64 bits do.
        let days = Int64(CivilCalendar.days(year: year, month: date.month, day: date.day))
        let (seconds, rest) = CivilCalendar.split(microseconds, by: 1_000_000)
        let whole = days * 86_400 + seconds - offset
        return Date(timeIntervalSinceReferenceDate: Double(whole) - referenceSeconds + Double(rest) / 1_000_000)
    }
}

/// Reads a text of date and time from left to right.
struct TextScanner {
    private var rest: Substring.UTF8View

    init(_ text: String) {
        rest = Substring(text).utf8
    }

    var isAtEnd: Bool {
        rest.isEmpty
    }

    mutating func skip(_ text: String) -> Bool {
        guard rest.starts(with: text.utf8) else { return false }
        rest = rest.dropFirst(text.utf8.count)
        return true
    }

    /// An unsigned number with at least `minimum` and at most `maximum` digits.
    mutating func number(_ minimum: Int, _ maximum: Int) -> Int? {
        let digits = rest.prefix(maximum).prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard digits.count >= minimum else { return nil }
        rest = rest.dropFirst(digits.count)
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    mutating func date() -> (year: Int, month: Int, day: Int)? {
        guard let year = number(4, 7), skip("-"), let month = number(2, 2), skip("-"), let day = number(2, 2) else {
            return nil
        }
        return (year, month, day)
    }

    /// A time of day in microseconds, up to 24:00:00.
    mutating func clock() -> Int64? {
        guard let hour = number(2, 2), skip(":"), let minute = number(2, 2), hour <= 24, minute < 60 else { return nil }
        var microseconds = Int64(hour * 3600 + minute * 60) * 1_000_000
        if skip(":") {
            guard let second = number(2, 2), second <= 60 else { return nil }
            microseconds += Int64(second) * 1_000_000
            if skip(".") {
                guard let fraction = fraction() else { return nil }
                microseconds += fraction
            }
        }
        return microseconds <= TimestampText.microsecondsPerDay ? microseconds : nil
    }

    /// The digits behind a decimal point, in millionths.
    mutating func fraction() -> Int64? {
        let before = rest.count
        guard let digits = number(1, 6) else { return nil }
        return (before - rest.count..<6).reduce(Int64(digits)) { value, _ in value * 10 }
    }

    /// A zone as the server writes it: `+02`, `-03:30`, in seconds east of Greenwich.
    mutating func offset() -> Int64? {
        let sign: Int64 = skip("-") ? -1 : skip("+") ? 1 : 0
        guard sign != 0, let hours = number(2, 2) else { return nil }
        var seconds = hours * 3600
        if skip(":"), let minutes = number(2, 2) { seconds += minutes * 60 }
        if skip(":"), let more = number(2, 2) { seconds += more }
        return sign * Int64(seconds)
    }
}
