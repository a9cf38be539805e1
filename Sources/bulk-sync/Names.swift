import ArgumentParser

/// Names of columns, separated by commas: `name,phone`.
///
/// A name that holds a comma is quoted: `"a,b"`.
struct Names: ExpressibleByArgument {
    var names: [String]

    init?(argument: String) {
        var names: [String] = []
        var name = ""
        var isQuoted = false
        var rest = Substring(argument)
        while let character = rest.popFirst() {
            switch character {
            case "\"" where isQuoted && rest.first == "\"":
                name.append("\"")
                rest.removeFirst()
            case "\"" where isQuoted || name.isEmpty:
                isQuoted.toggle()
            case "," where !isQuoted:
                names.append(name)
                name = ""
            default:
                name.append(character)
            }
        }
        names.append(name)
        if isQuoted || names.contains("") { return nil }
        self.names = names
    }
}

extension [Names] {
    /// All names, in order.
    var all: [String] {
        flatMap(\.names)
    }
}

/// A name and what is said about it: `phone=telefon`.
struct Assignment: ExpressibleByArgument {
    var name: String
    var value: String

    init?(argument: String) {
        guard let sign = argument.firstIndex(of: "="), sign != argument.startIndex else { return nil }
        name = String(argument[..<sign])
        value = String(argument[argument.index(after: sign)...])
    }
}

extension [Assignment] {
    /// The values by their names; a name that comes twice is refused.
    func byName(option: String) throws -> [String: String] {
        try Dictionary(map { ($0.name, $0.value) }) { _, _ in
            throw ValidationError("--\(option) names a column twice.")
        }
    }
}

/// A part of a whole: `0.1` or `10%`.
struct Fraction: ExpressibleByArgument {
    var value: Double

    init?(argument: String) {
        let isPercentage = argument.hasSuffix("%")
        guard let number = Double(isPercentage ? String(argument.dropLast()) : argument) else { return nil }
        value = isPercentage ? number / 100 : number
        if !(0...1).contains(value) { return nil }
    }
}
