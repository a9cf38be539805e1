// What an encoder hands out where the protocol asks for a container, and there is nothing that its values could become.

/// Takes no value: it throws its error, or without one swallows what it gets.
struct RefusingContainer: UnkeyedEncodingContainer, SingleValueEncodingContainer, Encoder {
    var error: (any Error)?

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }
    var count: Int { 0 }

    private func refuse() throws {
        if let error { throw error }
    }

    func encodeNil() throws { try refuse() }
    func encode(_ value: Bool) throws { try refuse() }
    func encode(_ value: String) throws { try refuse() }
    func encode(_ value: Double) throws { try refuse() }
    func encode(_ value: Float) throws { try refuse() }
    func encode(_ value: Int) throws { try refuse() }
    func encode(_ value: Int8) throws { try refuse() }
    func encode(_ value: Int16) throws { try refuse() }
    func encode(_ value: Int32) throws { try refuse() }
    func encode(_ value: Int64) throws { try refuse() }
    func encode(_ value: UInt) throws { try refuse() }
    func encode(_ value: UInt8) throws { try refuse() }
    func encode(_ value: UInt16) throws { try refuse() }
    func encode(_ value: UInt32) throws { try refuse() }
    func encode(_ value: UInt64) throws { try refuse() }
    func encode(_ value: Int128) throws { try refuse() }
    func encode(_ value: UInt128) throws { try refuse() }
    func encode(_ value: some Encodable) throws { try refuse() }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(RefusingKeyedContainer<Key>(error: error))
    }

    func nestedContainer<Nested: CodingKey>(keyedBy keyType: Nested.Type) -> KeyedEncodingContainer<Nested> {
        container(keyedBy: keyType)
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer { self }
    func singleValueContainer() -> any SingleValueEncodingContainer { self }
    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { self }
    func superEncoder() -> any Encoder { self }
}

/// Takes no value with a key, in the same way.
struct RefusingKeyedContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
    var error: (any Error)?

    var codingPath: [any CodingKey] { [] }

    private func refuse() throws {
        if let error { throw error }
    }

    func encodeNil(forKey key: Key) throws { try refuse() }
    func encode(_ value: Bool, forKey key: Key) throws { try refuse() }
    func encode(_ value: String, forKey key: Key) throws { try refuse() }
    func encode(_ value: Double, forKey key: Key) throws { try refuse() }
    func encode(_ value: Float, forKey key: Key) throws { try refuse() }
    func encode(_ value: Int, forKey key: Key) throws { try refuse() }
    func encode(_ value: Int8, forKey key: Key) throws { try refuse() }
    func encode(_ value: Int16, forKey key: Key) throws { try refuse() }
    func encode(_ value: Int32, forKey key: Key) throws { try refuse() }
    func encode(_ value: Int64, forKey key: Key) throws { try refuse() }
    func encode(_ value: UInt, forKey key: Key) throws { try refuse() }
    func encode(_ value: UInt8, forKey key: Key) throws { try refuse() }
    func encode(_ value: UInt16, forKey key: Key) throws { try refuse() }
    func encode(_ value: UInt32, forKey key: Key) throws { try refuse() }
    func encode(_ value: UInt64, forKey key: Key) throws { try refuse() }
    func encode(_ value: Int128, forKey key: Key) throws { try refuse() }
    func encode(_ value: UInt128, forKey key: Key) throws { try refuse() }
    func encode(_ value: some Encodable, forKey key: Key) throws { try refuse() }

    func nestedContainer<Nested: CodingKey>(keyedBy: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<Nested> {
        KeyedEncodingContainer(RefusingKeyedContainer<Nested>(error: error))
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { RefusingContainer(error: error) }
    func superEncoder() -> any Encoder { RefusingContainer(error: error) }
    func superEncoder(forKey key: Key) -> any Encoder { RefusingContainer(error: error) }
}
