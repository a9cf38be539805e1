/// How the properties of a `Codable` row become names of columns, and back.
///
/// Keys inside of nested values, which are written as JSON, stay as they are.
public enum KeyStrategy: Hashable, Sendable {
    /// A column has the name of the property, or of its `CodingKey`.
    case propertyNames

    /// Words are separated by underscores: `phoneNumber` is the column `phone_number`, `userID` is `user_id`.
    case snakeCase
}

extension KeyStrategy {
    /// The column of a property.
    func column(for property: String) -> String {
        switch self {
        case .propertyNames: property
        case .snakeCase: Self.snakeCase(property)
        }
    }

    /// A word begins at an upper-case letter that follows another character than one, or that precedes a lower-case one.
    private static func snakeCase(_ property: String) -> String {
        let characters = Array(property)
        var result = ""
        for (index, character) in characters.enumerated() {
            if character.isUppercase {
                let previous = index > 0 ? characters[index - 1] : "_"
                let next = index + 1 < characters.count ? characters[index + 1] : "_"
                if previous != "_", !previous.isUppercase || next.isLowercase { result.append("_") }
                result.append(contentsOf: character.lowercased())
            } else {
                result.append(character)
            }
        }
        return result
    }
}
