/// A time of day, as the type `time` holds it: without a date and without a time zone, to the microsecond.
public struct PostgresTime: Hashable, Sendable {
    /// The microseconds since midnight, up to 86,400,000,000, which is 24:00.
    public let microseconds: Int64

    /// Makes a time, or nil if the day is not that long.
    ///
    /// - Parameter microseconds: The microseconds since midnight.
    public init?(microseconds: Int64) {
        guard (0...TimestampText.microsecondsPerDay).contains(microseconds) else { return nil }
        self.microseconds = microseconds
    }

    /// Makes a time, or nil if there is no such time.
    ///
    /// - Parameters:
    ///   - hour: The hour, from 0 to 24.
    ///   - minute: The minute.
    ///   - second: The second.
    ///   - microsecond: The microsecond.
    public init?(hour: Int, minute: Int, second: Int = 0, microsecond: Int = 0) {
        guard (0...24).contains(hour), (0..<60).contains(minute), (0..<60).contains(second),
            (0..<1_000_000).contains(microsecond)
        else { return nil }
        self.init(microseconds: Int64((hour * 60 + minute) * 60 + second) * 1_000_000 + Int64(microsecond))
    }
}

extension PostgresTime: LosslessStringConvertible, Comparable {
    /// Reads `08:30`, `08:30:15` or `08:30:15.25`.
    public init?(_ description: String) {
        var scanner = TextScanner(description)
        guard let microseconds = scanner.clock(), scanner.isAtEnd else { return nil }
        self.microseconds = microseconds
    }

    /// The time as the server writes it: `08:30:15.25`.
    public var description: String {
        TimestampText.clock(microseconds)
    }

    /// Whether one time is earlier than another.
    public static func < (left: PostgresTime, right: PostgresTime) -> Bool {
        left.microseconds < right.microseconds
    }
}

extension PostgresTime: Codable {
    /// Reads the text of a time.
    public init(from decoder: any Decoder) throws {
        self = try decoder.singleValueContainer().decodeText(Self.self)
    }

    /// Writes the text of the time.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
