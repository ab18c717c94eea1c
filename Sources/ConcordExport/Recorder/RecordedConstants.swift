import ConcordRuntime

/// The parameters that recorded graphs hold, by the names of their constants, so that several graphs of one model share
/// their memory.
final class RecordedConstants {
    private var values: [String: OnnxValue] = [:]

    /// The constant of this name, made when it is first asked for.
    func value(_ name: String, make: () throws -> OnnxValue) rethrows -> OnnxValue {
        if let known = values[name] { return known }
        let value = try make()
        values[name] = value
        return value
    }
}
