// The binary form of `numeric`: groups of four decimal digits, with a weight and a number of digits behind the point.

import Foundation

extension RowWriter {
    /// Appends NaN or an infinity.
    mutating func specialNumeric(_ sign: UInt16) {
        buffer.append(bigEndian: Int32(8))
        buffer.append(bigEndian: Int16(0))
        buffer.append(bigEndian: Int16(0))
        buffer.append(bigEndian: sign)
        buffer.append(bigEndian: Int16(0))
    }

    /// Appends `magnitude` times ten to the power of `exponent`.
    mutating func numeric(magnitude: UInt128, exponent: Int, isNegative: Bool) {
        // Groups begin at the point, so that the lowest one may have to be filled up with zeros.
        var magnitude = magnitude
        var groupExponent = exponent / 4
        if exponent % 4 < 0 { groupExponent -= 1 }
        let fill = exponent - groupExponent * 4
        withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 12) { groups in
            var count = 0
            // 38 digits and three zeros more do not fit into 128 bits: the lowest group is taken off first.
            if fill > 0 {
                let split = Self.powers[4 - fill]
                groups[0] = UInt16(truncatingIfNeeded: magnitude % split * Self.powers[fill])
                count = 1
                magnitude /= split
            }
            while magnitude > UInt128(UInt64.max) {
                groups[count] = UInt16(truncatingIfNeeded: magnitude % 10_000)
                magnitude /= 10_000
                count += 1
            }
            var narrow = UInt64(truncatingIfNeeded: magnitude)
            while narrow > 0 {
                groups[count] = UInt16(truncatingIfNeeded: narrow % 10_000)
                narrow /= 10_000
                count += 1
            }
            // No zeros at the front, as the server itself would have it.
            while count > 0, groups[count - 1] == 0 { count -= 1 }
            writeNumeric(
                groupCount: count, lowest: groupExponent, scale: max(0, -exponent), isNegative: isNegative
            ) { groups[$0] }
        }
    }

    private static let powers: [UInt128] = [1, 10, 100, 1000]

    /// Appends a number whose digits are more than a Decimal holds.
    mutating func numeric(_ digits: [UInt8], exponent: Int, isNegative: Bool) {
        var groupExponent = exponent / 4
        if exponent % 4 < 0 { groupExponent -= 1 }
        let padded = digits + [UInt8](repeating: 0, count: exponent - groupExponent * 4)
        var groups: [UInt16] = []
        var end = padded.count
        while end > 0 {
            groups.append(padded[max(0, end - 4)..<end].reduce(0) { $0 * 10 + UInt16($1) })
            end -= 4
        }
        while groups.last == 0 { groups.removeLast() }
        writeNumeric(
            groupCount: groups.count, lowest: groupExponent, scale: max(0, -exponent), isNegative: isNegative
        ) { groups[$0] }
    }

    /// Writes groups, which are numbered from the lowest.
    @inline(__always)
    private mutating func writeNumeric(
        groupCount: Int,
        lowest: Int,
        scale: Int,
        isNegative: Bool,
        _ group: (Int) -> UInt16
    ) {
        buffer.append(bigEndian: Int32(8 + 2 * groupCount))
        buffer.append(bigEndian: Int16(truncatingIfNeeded: groupCount))
        buffer.append(bigEndian: Int16(truncatingIfNeeded: groupCount == 0 ? 0 : lowest + groupCount - 1))
        buffer.append(bigEndian: UInt16(isNegative && groupCount > 0 ? 0x4000 : 0))
        buffer.append(bigEndian: Int16(truncatingIfNeeded: scale))
        for index in (0..<groupCount).reversed() { buffer.append(bigEndian: group(index)) }
    }
}

extension Decimal {
    /// The digits as one integer; nil where the value does not lie in memory as it did on every system so far.
    ///
    /// Foundation has no other way to them than by the text, which takes ten times as long.
    var magnitude128: UInt128? {
        Self.hasKnownLayout ? storedMagnitude : nil
    }

    private var storedMagnitude: UInt128 {
        withUnsafeBytes(of: self) { bytes in
            UInt128(bytes.loadUnaligned(fromByteOffset: 12, as: UInt64.self)) << 64
                | UInt128(bytes.loadUnaligned(fromByteOffset: 4, as: UInt64.self))
        }
    }

    private static let hasKnownLayout: Bool = {
        guard MemoryLayout<Decimal>.size == 20, 1.littleEndian == 1 else { return false }
        let samples: [(String, UInt128)] = [
            ("-1.5", 15),
            ("12345678901234567890123456789012345678", 12_345_678_901_234_567_890_123_456_789_012_345_678),
            ("0.000001", 1), ("18446744073709551617", 18_446_744_073_709_551_617), ("0", 0),
        ]
        return samples.allSatisfy { Decimal(string: $0)?.storedMagnitude == $1 }
    }()
}

/// A decimal number as Swift writes it: `-12.5`, `1e+300`.
struct DecimalText {
    var digits: [UInt8] = []
    var exponent = 0
    var isNegative = false

    init?(_ text: String) {
        var rest = Substring(text).utf8
        if rest.first == UInt8(ascii: "-") {
            isNegative = true
            rest = rest.dropFirst()
        }
        var isFraction = false
        while let byte = rest.first {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digits.append(byte - UInt8(ascii: "0"))
                if isFraction { exponent -= 1 }
            case UInt8(ascii: ".") where !isFraction:
                isFraction = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                guard let power = Int(String(Substring(rest.dropFirst()))), power.magnitude < 10_000 else { return nil }
                exponent += power
                rest = rest.suffix(1)
            default:
                return nil
            }
            rest = rest.dropFirst()
        }
        if digits.isEmpty { return nil }
    }
}
