/// A day of the calendar, as the type `date` holds it: without a time and without a time zone.
///
/// ```swift
/// let day = PostgresDate(year: 2026, month: 11, day: 21)
/// print(day ?? .infinity)  // 2026-11-21
/// ```
public struct PostgresDate: Hashable, Sendable {
    /// The number of days since 2000-01-01; the extremes of the type stand for the infinite dates.
    public let daysSince2000: Int32

    /// Later than all other dates.
    public static let infinity = PostgresDate(daysSince2000: .max)

    /// Earlier than all other dates.
    public static let minusInfinity = PostgresDate(daysSince2000: .min)

    /// Makes a date from a number of days.
    ///
    /// - Parameter daysSince2000: The number of days since 2000-01-01.
    public init(daysSince2000: Int32) {
        self.daysSince2000 = daysSince2000
    }

    /// Makes a date, or nil if there is no such day.
    ///
    /// - Parameters:
    ///   - year: The year; 0 is the year before the year 1.
    ///   - month: The month, from 1.
    ///   - day: The day of the month, from 1.
    public init?(year: Int, month: Int, day: Int) {
        guard (-4712...5_874_897).contains(year), CivilCalendar.isValid(year: year, month: month, day: day) else {
            return nil
        }
        daysSince2000 = Int32(CivilCalendar.days(year: year, month: month, day: day))
    }

    /// The year; 0 is the year before the year 1.
    ///
    /// An infinite date has none that means anything.
    public var year: Int { CivilCalendar.date(days: Int(daysSince2000)).year }

    /// The month, from 1.
    public var month: Int { CivilCalendar.date(days: Int(daysSince2000)).month }

    /// The day of the month, from 1.
    public var day: Int { CivilCalendar.date(days: Int(daysSince2000)).day }
}

extension PostgresDate: LosslessStringConvertible, Comparable {
    /// Reads `2026-11-21`, `infinity` or `-infinity`.
    public init?(_ description: String) {
        switch description {
        case "infinity": self = .infinity
        case "-infinity": self = .minusInfinity
        default:
            var scanner = TextScanner(description)
            guard let date = scanner.date() else { return nil }
            let year = scanner.skip(" BC") ? 1 - date.year : date.year
            guard scanner.isAtEnd else { return nil }
            self.init(year: year, month: date.month, day: date.day)
        }
    }

    /// The date as the server writes it: `2026-11-21`.
    public var description: String {
        if self == .infinity { return "infinity" }
        if self == .minusInfinity { return "-infinity" }
        let (year, month, day) = CivilCalendar.date(days: Int(daysSince2000))
        let text = [
            CivilCalendar.padded(year > 0 ? year : 1 - year, 4), CivilCalendar.padded(month, 2),
            CivilCalendar.padded(day, 2),
        ]
        return text.joined(separator: "-") + (year > 0 ? "" : " BC")
    }

    /// Whether one date is earlier than another.
    public static func < (left: PostgresDate, right: PostgresDate) -> Bool {
        left.daysSince2000 < right.daysSince2000
    }
}

extension PostgresDate: Codable {
    /// Reads the text of a date.
    public init(from decoder: any Decoder) throws {
        self = try decoder.singleValueContainer().decodeText(Self.self)
    }

    /// Writes the text of the date.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension SingleValueDecodingContainer {
    /// Reads a value that is a text in JSON.
    func decodeText<Value: LosslessStringConvertible>(_ type: Value.Type) throws -> Value {
        guard let value = Value(try decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: self, debugDescription: "this is not the text of a \(type)")
        }
        return value
    }
}
