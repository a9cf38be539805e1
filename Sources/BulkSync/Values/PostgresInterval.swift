/// A span of time, as the type `interval` holds it: months, days and microseconds apart, because neither a month nor a day
/// is always equally long.
public struct PostgresInterval: Hashable, Sendable {
    /// The months; a year is twelve.
    public var months: Int32

    /// The days.
    public var days: Int32

    /// The microseconds.
    public var microseconds: Int64

    /// Makes an interval.
    ///
    /// - Parameters:
    ///   - months: The months.
    ///   - days: The days.
    ///   - microseconds: The microseconds.
    public init(months: Int32 = 0, days: Int32 = 0, microseconds: Int64 = 0) {
        self.months = months
        self.days = days
        self.microseconds = microseconds
    }

    /// Makes an interval of a duration, to the microsecond, or nil if it is longer than an interval can be.
    ///
    /// - Parameter duration: The duration; it becomes hours, minutes and seconds, and no days.
    public init?(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        // Half a microsecond is rounded away from zero.
        let half: Int64 = attoseconds < 0 ? -500_000_000_000 : 500_000_000_000
        let (sum, overflowOfSum) = whole.addingReportingOverflow((attoseconds + half) / 1_000_000_000_000)
        if overflow || overflowOfSum { return nil }
        self.init(microseconds: sum)
    }
}

extension PostgresInterval: LosslessStringConvertible {
    /// Reads the ISO 8601 form, as the server writes it with `intervalstyle = iso_8601`: `P1Y2M3DT4H5M6.7S`.
    public init?(_ description: String) {
        var scanner = TextScanner(description)
        guard scanner.skip("P"), !scanner.isAtEnd else { return nil }
        var (months, days, microseconds) = (Int64(0), Int64(0), Int64(0))
        // What does not fit is no interval: PostgreSQL would not have written it.
        func add(_ count: Int64, of unit: Int64, to sum: inout Int64) -> Bool {
            let (product, isTooMuch) = count.multipliedReportingOverflow(by: unit)
            let (total, overflows) = sum.addingReportingOverflow(product)
            sum = total
            return !isTooMuch && !overflows
        }
        var isTime = false
        while !scanner.isAtEnd {
            if !isTime, scanner.skip("T") { isTime = true }
            let sign: Int64 = scanner.skip("-") ? -1 : 1
            guard let whole = scanner.number(1, 18).map({ sign * Int64($0) }) else { return nil }
            let fraction = scanner.skip(".") ? scanner.fraction() : 0
            guard let fraction else { return nil }
            let fits =
                switch true {
                case !isTime && fraction == 0 && scanner.skip("Y"): add(whole, of: 12, to: &months)
                case !isTime && fraction == 0 && scanner.skip("M"): add(whole, of: 1, to: &months)
                case !isTime && fraction == 0 && scanner.skip("D"): add(whole, of: 1, to: &days)
                case isTime && fraction == 0 && scanner.skip("H"): add(whole, of: 3_600_000_000, to: &microseconds)
                case isTime && fraction == 0 && scanner.skip("M"): add(whole, of: 60_000_000, to: &microseconds)
                case isTime && scanner.skip("S"):
                    add(whole, of: 1_000_000, to: &microseconds) && add(sign * fraction, of: 1, to: &microseconds)
                default: false
                }
            if !fits { return nil }
        }
        guard let months = Int32(exactly: months), let days = Int32(exactly: days) else { return nil }
        self.init(months: months, days: days, microseconds: microseconds)
    }

    /// The interval in its ISO 8601 form: `P1Y2M3DT4H5M6.7S`.
    public var description: String {
        var text = "P"
        if months / 12 != 0 { text += "\(months / 12)Y" }
        if months % 12 != 0 { text += "\(months % 12)M" }
        if days != 0 { text += "\(days)D" }
        if microseconds != 0 {
            text += "T"
            let (hours, rest) = (microseconds / 3_600_000_000, microseconds % 3_600_000_000)
            if hours != 0 { text += "\(hours)H" }
            if rest / 60_000_000 != 0 { text += "\(rest / 60_000_000)M" }
            let seconds = rest % 60_000_000
            if seconds != 0 {
                var fraction = CivilCalendar.padded(Int((seconds % 1_000_000).magnitude), 6)
                while fraction.last == "0" { fraction.removeLast() }
                text += (seconds < 0 ? "-" : "") + "\((seconds / 1_000_000).magnitude)"
                text += (fraction.isEmpty ? "" : "." + fraction) + "S"
            }
        }
        return text == "P" ? "PT0S" : text
    }
}

extension PostgresInterval: Codable {
    /// Reads the ISO 8601 form.
    public init(from decoder: any Decoder) throws {
        self = try decoder.singleValueContainer().decodeText(Self.self)
    }

    /// Writes the ISO 8601 form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
