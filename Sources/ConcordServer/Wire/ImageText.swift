import ConcordCore
import ConcordMedia

/// The source of a request's image.
enum ImageSource: Sendable {
    /// The encoded image, whose beginning was looked at.
    case bytes([UInt8])
    /// At an HTTP address, which is fetched only where the server was told to.
    case address(String)
}

/// An image as a text: a data URI, bare base64, or an address.
enum ImageText {
    /// True if a string that might be a text or an image is meant as a data URI.
    static func isDataURI(_ text: String) -> Bool { DataURI(text)?.isMeant == true }

    /// True if a string that might be a text or an image is the URL of an image, by the end of its path.
    static func isImageURL(_ text: String) -> Bool {
        guard isAddress(text) else { return false }
        let address = text.trimmed
        guard address.utf8.allSatisfy({ $0 > 0x20 }) else { return false }
        let path = address.prefix { $0 != "?" && $0 != "#" }.lowercased()
        return [".jpg", ".jpeg", ".png", ".webp", ".gif"].contains { path.hasSuffix($0) }
    }

    /// The encoded image, or its address.
    ///
    /// - Parameters:
    ///   - parameter: the field that the text is in.
    ///   - allowsBare: whether base64 without `data:…;base64,` before it will do.
    static func source(
        _ text: String, parameter: String, allowsBare: Bool
    ) throws(ServingError) -> ImageSource {
        if let uri = DataURI(text) {
            guard uri.isWhole else { throw .invalid(parameter, "\(parameter) is a data URI without a comma.") }
            guard let bytes = uri.bytes else { throw noBase64(parameter) }
            return .bytes(try checked(bytes, parameter: parameter))
        }
        if isAddress(text) { return .address(text.trimmed) }
        guard allowsBare else { throw noAddress(parameter) }
        guard let bytes = Base64.decode(text.utf8) else {
            throw text.contains("://") ? noAddress(parameter) : noBase64(parameter)
        }
        return .bytes(try checked(bytes, parameter: parameter))
    }

    /// The image in a part of a form: the file itself, or a text as in JSON.
    static func source(_ part: MultipartForm.Part, parameter: String) throws(ServingError) -> ImageSource {
        guard !part.isFile, !isImage(part.bytes), let text = String(validating: part.bytes, as: UTF8.self) else {
            return .bytes(try checked(part.bytes, parameter: parameter))
        }
        return try source(text, parameter: parameter, allowsBare: true)
    }

    /// The bytes, when they begin as an image does that is decoded here. What a client calls them is not believed.
    static func checked(_ bytes: [UInt8], parameter: String) throws(ServingError) -> [UInt8] {
        guard !bytes.isEmpty else { throw .invalid(parameter, "\(parameter) is empty.", code: "invalid_image") }
        guard isImage(bytes) else {
            throw .invalid(
                parameter, "\(parameter) is no picture in a format that is read, such as JPEG or PNG.",
                code: "invalid_image")
        }
        return bytes
    }

    private static func isImage(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { ImageFormat(of: $0) } != nil
    }

    /// Refuses a data URI in a field of texts, where it would be read as letters.
    static func refuseDataURI(in text: String, parameter: String) throws(ServingError) {
        guard isDataURI(text) else { return }
        throw .invalid(
            parameter,
            "\(parameter) is a data URI, and this field takes texts; send the picture in a field that takes pictures.",
            code: "picture_as_text")
    }

    /// The error of a server that fetches no images.
    static func noAddress(_ parameter: String) -> ServingError {
        .invalid(
            parameter,
            "\(parameter) must hold the picture itself, as a data URI in base64; this server fetches no such addresses "
                + "and opens no files.", code: "invalid_image_url")
    }

    private static func noBase64(_ parameter: String) -> ServingError {
        .invalid(
            parameter, "\(parameter) is not valid base64 of the standard alphabet.", code: "invalid_base64")
    }

    private static func isAddress(_ text: String) -> Bool {
        var rest = text.utf8[...]
        while let byte = rest.first, byte <= 0x20 { rest = rest.dropFirst() }
        return rest.beginsLike("http://") || rest.beginsLike("https://")
    }
}

/// A `data:` URI (RFC 2397), taken apart as browsers do it (WHATWG Fetch, 6).
struct DataURI {
    /// The part between `data:` and the comma: the media type, and whether the content is in base64.
    private let header: Substring.UTF8View
    /// Nil without a comma.
    private let content: Substring.UTF8View?

    /// `nil` for a text that does not begin with `data:`, in letters of either case, white space before it left aside.
    init?(_ text: String) {
        var rest = text.utf8[...]
        while let byte = rest.first, byte <= 0x20 { rest = rest.dropFirst() }
        guard rest.beginsLike("data:") else { return nil }
        rest = rest.dropFirst(5)
        if let comma = rest.firstIndex(of: UInt8(ascii: ",")) {
            header = rest[..<comma]
            content = rest[rest.index(after: comma)...]
        } else {
            header = rest
            content = nil
        }
    }

    /// True if a string that might be anything is meant as one. "Data: the new oil, they say" is not; what has the form of a
    /// media type, a parameter or nothing before the comma is, and so is an image's that was cut off.
    var isMeant: Bool {
        if isBase64 { return true }
        guard header.allSatisfy({ $0 > 0x20 }) else { return false }
        guard content != nil else { return header.beginsLike("image/") }
        if header.isEmpty || header.contains(UInt8(ascii: ";")) { return true }
        guard let slash = header.firstIndex(of: UInt8(ascii: "/")) else { return false }
        return slash != header.startIndex && header.index(after: slash) != header.endIndex
    }

    /// True if there is a comma.
    var isWhole: Bool { content != nil }

    /// The bytes; nil without a comma, and for base64 that is none.
    var bytes: [UInt8]? {
        guard let content else { return nil }
        if isBase64, let bytes = Base64.decode(content) { return bytes }
        // Rare, and so tried last: a fragment, and escaped letters.
        let plain = content.prefix { $0 != UInt8(ascii: "#") }.percentDecoded
        return isBase64 ? Base64.decode(plain) : plain
    }

    /// True if the header ends in `;base64`, with white space as browsers allow it.
    private var isBase64: Bool {
        func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
            var text = text
            while let byte = text.last, byte <= 0x20 { text = text.dropLast() }
            return text
        }
        let whole = trimmed(header)
        guard whole.suffix(6).beginsLike("base64") else { return false }
        return trimmed(whole.dropLast(6)).last == UInt8(ascii: ";")
    }
}

extension Substring.UTF8View {
    /// True if it begins with an ASCII text, in letters of either case.
    func beginsLike(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { text in
            let beginning = self.prefix(text.count)
            return beginning.count == text.count
                && zip(beginning, text).allSatisfy { $0 == $1 || ((0x41...0x5A).contains($0) && $0 | 0x20 == $1) }
        }
    }
}

extension Collection<UInt8> {
    /// The bytes with each percent sign and the two digits behind it as the byte that they stand for (RFC 3986, 2.1);
    /// percent signs without two digits stay.
    var percentDecoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        var index = startIndex
        while index != endIndex {
            let byte = self[index]
            formIndex(after: &index)
            guard byte == UInt8(ascii: "%"), index != endIndex, let high = Self.digit(self[index]),
                case let second = self.index(after: index), second != endIndex, let low = Self.digit(self[second])
            else {
                bytes.append(byte)
                continue
            }
            bytes.append(high << 4 | low)
            index = self.index(after: second)
        }
        return bytes
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}
