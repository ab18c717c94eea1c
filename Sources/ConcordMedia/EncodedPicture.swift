/// A picture in a file whose header has been read. A thread has one of them open at a time, and does all of its work;
/// the file's bytes outlive it.
protocol EncodedPicture {
    /// Columns and rows, as they are stored: those of a turned photo are exchanged.
    var width: Int { get }
    var height: Int { get }

    /// Decodes all pixels, and turns them upright.
    func decode() throws(PictureFault) -> Image
}

/// Why a file gives no picture.
enum PictureFault: Error {
    /// It is damaged, or ends early.
    case damaged
    /// It is whole, and of a kind that is not read: what it has, and what to do, as the rest of a sentence about it.
    case unread(String)
    /// What would decode it is not installed: a sentence.
    case unavailable(String)
}

/// The bytes of a file, for readers that must not look beyond their end.
struct FileBytes {
    let bytes: UnsafeRawBufferPointer

    var count: Int { bytes.count }

    /// The byte at `offset`. Throws where the file ends before it.
    func byte(_ offset: Int) throws(PictureFault) -> Int {
        guard offset >= 0 && offset < bytes.count else { throw .damaged }
        return Int(bytes[offset])
    }

    /// The bytes from `offset` on, all of which are there.
    func range(_ offset: Int, count: Int) throws(PictureFault) -> UnsafeRawBufferPointer {
        guard offset >= 0 && count >= 0 && offset <= bytes.count && count <= bytes.count - offset else {
            throw .damaged
        }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + count)])
    }

    /// An unsigned number of `count` bytes, the lowest first.
    func littleEndian(_ offset: Int, count: Int) throws(PictureFault) -> Int {
        try range(offset, count: count).reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    /// An unsigned number of `count` bytes, the highest first.
    func bigEndian(_ offset: Int, count: Int) throws(PictureFault) -> Int {
        try range(offset, count: count).reduce(0) { $0 << 8 | Int($1) }
    }

    func starts(_ magic: [UInt8], at offset: Int = 0) -> Bool {
        bytes.count >= offset + magic.count && bytes[offset..<(offset + magic.count)].elementsEqual(magic)
    }

    func starts(_ magic: String, at offset: Int = 0) -> Bool { starts(Array(magic.utf8), at: offset) }
}
