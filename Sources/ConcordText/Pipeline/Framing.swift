/// The special tokens that begin and end every text.
struct Framing: Sendable, Hashable {
    var prefix: [Int32] = []
    var suffix: [Int32] = []

    /// Puts the special tokens around the ids of a text, of which the last are dropped where all would be too many.
    func frame(_ ids: [Int32], contextLength: Int) -> (ids: [Int32], isTruncated: Bool) {
        let room = contextLength - prefix.count - suffix.count
        if ids.count <= room { return (prefix + ids + suffix, false) }
        if room >= 0 { return (prefix + ids.prefix(room) + suffix, true) }
        // Not even the special tokens fit: the last of them matter most, since models pool there.
        return (Array((prefix + suffix).suffix(max(contextLength, 0))), true)
    }
}
