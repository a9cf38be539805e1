// What a connection string says, by libpq's own parser. Its messages quote the string, which may hold a password: of them,
// only what libpq itself says is shown.

import CLibPQ

enum ConnectionString {
    /// Refuses a string that libpq cannot read, or reads in a way that would show a part of the password in an error.
    static func check(_ string: String) throws(BulkSyncError) {
        guard !string.isEmpty else { return }
        try ServerConnection.refuseZeroBytes([string])
        // libpq takes a string without "=" and "://" for the name of a database, and shows that in its messages.
        guard isConnectionString(string) else {
            if looksLikeURI(string) {
                var error = malformed("it looks like a URI, but does not begin with postgresql://")
                error.hint = "Write postgresql://user@host/database, or dbname='...' for a database with such a name."
                throw error
            }
            return
        }
        let parameters = try parse(string)
        for (keyword, value, _) in parameters {
            // A password that holds "@" or "/" splits a URI at the wrong place.
            let isBroken =
                switch keyword {
                case "host", "hostaddr": value.contains("@")
                case "port": !value.allSatisfy { $0.isASCII && ($0.isNumber || $0 == ",") }
                case "dbname": isURI(string) && value.contains("@")
                default: false
                }
            if isBroken {
                let what = keyword == "dbname" ? "name of a database" : keyword
                var error = malformed("it has characters in the \(what) that do not belong there")
                error.hint = "Percent-encode special characters in a URI: @ is %40, / is %2F, : is %3A."
                throw error
            }
        }
    }

    /// The parameters that a string sets, without secrets.
    static func publicParameters(_ string: String) -> [(keyword: String, value: String)] {
        guard !string.isEmpty else { return [] }
        guard (try? check(string)) != nil else { return [] }
        guard isConnectionString(string) else { return [("dbname", string)] }
        guard let parameters = try? parse(string) else { return [] }
        return parameters.filter { !$0.isSecret }.map { ($0.keyword, $0.value) }
    }

    /// A name as libpq takes it for a name, and not for a connection string.
    static func databaseName(_ name: String) -> String {
        guard isConnectionString(name) else { return name }
        let escaped = name.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
        return "dbname='\(escaped)'"
    }

    private static func isConnectionString(_ string: String) -> Bool {
        isURI(string) || string.contains("=")
    }

    private static func isURI(_ string: String) -> Bool {
        string.hasPrefix("postgresql://") || string.hasPrefix("postgres://")
    }

    /// Whether a string that libpq takes for a name is more likely a URI mistyped, which may hold a password.
    private static func looksLikeURI(_ string: String) -> Bool {
        string.contains("@") || string.contains("//")
    }

    /// Whether libpq says that a parameter makes no sense, before it asks any server.
    static func isInvalidParameter(_ message: String) -> Bool {
        message.hasPrefix("invalid ") || message.hasPrefix("could not match ")
    }

    private static func malformed(_ reason: String?) -> BulkSyncError {
        BulkSyncError(
            code: .invalidConnectionString,
            message: "the connection string is malformed" + (reason.map { ": \($0)" } ?? "")
        )
    }

    /// What libpq says without what it quotes; nil where it is not sure what that is.
    private static func reason(_ message: String) -> String? {
        for (beginning, reason) in [
            ("missing \"=\" after ", "missing \"=\" after a word"),
            ("invalid connection option ", "invalid connection option"),
            ("unterminated quoted string", "unterminated quoted string"),
            ("unexpected character ", "unexpected character after the host address in brackets"),
        ] where message.hasPrefix(beginning) {
            return reason
        }
        // In a URI: what is wrong, and all or a part of the string.
        for beginning in ["end of string reached", "extra key", "missing key", "invalid ", "forbidden ", "IPv6 host"]
        where message.hasPrefix(beginning) {
            return message.firstRange(of: ": \"").map { String(message[..<$0.lowerBound]) }
        }
        return nil
    }

    private static func parse(
        _ string: String
    ) throws(BulkSyncError) -> [(keyword: String, value: String, isSecret: Bool)] {
        var message: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(string, &message) else {
            defer { PQfreemem(message) }
            throw malformed(message.flatMap { reason(String(cString: $0)) })
        }
        defer { PQconninfoFree(options) }
        var result: [(keyword: String, value: String, isSecret: Bool)] = []
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                // libpq marks what a form would show as asterisks.
                let isSecret = option.pointee.dispchar.map { $0.pointee == UInt8(ascii: "*") } ?? false
                result.append((String(cString: keyword), String(cString: value), isSecret))
            }
            option += 1
        }
        return result
    }
}
