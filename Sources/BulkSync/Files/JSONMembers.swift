/// The members of a JSON object, their values as the JSON text that they are: `1.10` stays `1.10`.
///
/// - Parameter object: The text of an object, as the server writes it.
/// - Returns: The members in their order; none if the text is no object.
package func jsonMembers(_ object: String) -> [(name: String, value: String)] {
    var members: [(name: String, value: String)] = []
    var object = object
    object.withUTF8 { utf8 in
        let bytes = UnsafeRawBufferPointer(utf8)
        var scanner = JSONScanner(bytes, atEnd: true, line: 1)
        guard scanner.peek() == UInt8(ascii: "{") else { return }
        do {
            try scanner.object { (key, value) throws(JSONFault) in
                var name: [UInt8] = []
                try JSONString.decode(UnsafeRawBufferPointer(rebasing: bytes[key.start..<key.end])) { name.append($0) }
                let text = bytes[value.start..<value.end]
                members.append((String(decoding: name, as: UTF8.self), String(decoding: text, as: UTF8.self)))
            }
        } catch {
            members = []
        }
    }
    return members
}
