// What a connection string says, by libpq's own parser. Its messages quote the string, so they are never shown.

import CLibPQ

enum ConnectionString {
    /// Refuses a string that libpq cannot read, or reads in a way that would show a part of the password in an error.
    static func check(_ string: String) throws(BulkSyncError) {
        guard !string.isEmpty else { return }
        try ServerConnection.refuseZeroBytes([string])
        // libpq takes a string without "=" and "://" for the name of a database.
        guard isConnectionString(string) else { return }
        guard let parameters = parse(string) else {
            throw BulkSyncError(code: .unableToConnect, message: "the connection string is malformed")
        }
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
                var error = BulkSyncError(code: .unableToConnect, message: "the connection string is malformed")
                error.hint = "Percent-encode special characters in a URI: @ is %40, / is %2F, : is %3A."
                throw error
            }
        }
    }

    /// The parameters that a string sets, without secrets.
    static func publicParameters(_ string: String) -> [(keyword: String, value: String)] {
        guard !string.isEmpty else { return [] }
        guard isConnectionString(string) else { return [("dbname", string)] }
        guard (try? check(string)) != nil, let parameters = parse(string) else { return [] }
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

    private static func parse(_ string: String) -> [(keyword: String, value: String, isSecret: Bool)]? {
        var message: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(string, &message) else {
            PQfreemem(message)
            return nil
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
