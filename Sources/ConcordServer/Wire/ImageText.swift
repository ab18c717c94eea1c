/// A picture as a text: a data URI, bare base64, or an address.
enum ImageText {
    static func isDataURI(_ text: String) -> Bool { hasPrefix(text, "data:image/") }

    /// The encoded picture, or its address.
    ///
    /// - Parameters:
    ///   - parameter: the field that the text is in.
    ///   - allowsBare: whether base64 without `data:…;base64,` before it will do.
    static func source(
        _ text: String, parameter: String, allowsBare: Bool
    ) throws(RequestFailure) -> ImageSource {
        var encoded = Substring(text)
        if hasPrefix(text, "data:") {
            guard let comma = text.firstIndex(of: ",") else {
                throw .invalid(parameter, "\(parameter) is a data URI without a comma.")
            }
            guard text[..<comma].lowercased().hasSuffix(";base64") else {
                throw .invalid(parameter, "\(parameter) is a data URI that is not in base64.")
            }
            encoded = text[text.index(after: comma)...]
        } else if hasPrefix(text, "http://") || hasPrefix(text, "https://") {
            return .address(text)
        } else if text.contains("://") || !allowsBare {
            throw noAddress(parameter)
        }
        guard let bytes = Base64.decode(encoded.utf8) else {
            throw .invalid(
                parameter, "\(parameter) is not valid base64 (standard alphabet, padded, no line breaks).",
                code: "invalid_base64")
        }
        return .bytes(try checked(bytes, parameter: parameter))
    }

    /// The bytes, when they begin as a picture does that is decoded here. What a client calls them is not believed.
    static func checked(_ bytes: [UInt8], parameter: String) throws(RequestFailure) -> [UInt8] {
        guard !bytes.isEmpty else { throw .invalid(parameter, "\(parameter) is empty.", code: "invalid_image") }
        func starts(_ magic: [UInt8], at offset: Int = 0) -> Bool { bytes.dropFirst(offset).starts(with: magic) }
        guard
            starts([0xFF, 0xD8, 0xFF]) || starts([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
                || starts(Array("GIF8".utf8)) || (starts(Array("RIFF".utf8)) && starts(Array("WEBP".utf8), at: 8))
        else {
            throw .invalid(
                parameter, "\(parameter) is not a JPEG, PNG, WebP or GIF picture.", code: "invalid_image")
        }
        return bytes
    }

    /// What a server says that fetches no pictures.
    static func noAddress(_ parameter: String) -> RequestFailure {
        .invalid(
            parameter,
            "\(parameter) must hold the picture itself, as a data URI in base64; this server fetches no such addresses "
                + "and opens no files.", code: "invalid_image_url")
    }

    private static func hasPrefix(_ text: String, _ prefix: String) -> Bool {
        text.utf8.count >= prefix.utf8.count
            && zip(text.utf8, prefix.utf8).allSatisfy { $0 == $1 || ($0 | 0x20 == $1 && $0 >= 0x41 && $0 <= 0x5A) }
    }
}
