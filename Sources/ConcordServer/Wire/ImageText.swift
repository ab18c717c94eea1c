import ConcordCore
import ConcordMedia

/// A picture as a text: a data URI, bare base64, or an address.
enum ImageText {
    /// Whether a text that might be a text or a picture is meant as a data URI.
    static func isDataURI(_ text: String) -> Bool { DataURI(text)?.isMeant == true }

    /// Whether a text that might be a text or a picture is the address of a picture, by the end of its path.
    static func isPictureAddress(_ text: String) -> Bool {
        guard isAddress(text) else { return false }
        let address = text.trimmed
        guard address.utf8.allSatisfy({ $0 > 0x20 }) else { return false }
        let path = address.prefix { $0 != "?" && $0 != "#" }.lowercased()
        return [".jpg", ".jpeg", ".png", ".webp", ".gif"].contains { path.hasSuffix($0) }
    }

    /// The encoded picture, or its address.
    ///
    /// - Parameters:
    ///   - parameter: the field that the text is in.
    ///   - allowsBare: whether base64 without `data:…;base64,` before it will do.
    static func source(
        _ text: String, parameter: String, allowsBare: Bool
    ) throws(RequestFailure) -> ImageSource {
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

    /// The picture in a part of a form: the file itself, or a text as in JSON.
    static func source(_ part: MultipartForm.Part, parameter: String) throws(RequestFailure) -> ImageSource {
        guard !part.isFile, !isPicture(part.bytes), let text = String(validating: part.bytes, as: UTF8.self) else {
            return .bytes(try checked(part.bytes, parameter: parameter))
        }
        return try source(text, parameter: parameter, allowsBare: true)
    }

    /// The bytes, when they begin as a picture does that is decoded here. What a client calls them is not believed.
    static func checked(_ bytes: [UInt8], parameter: String) throws(RequestFailure) -> [UInt8] {
        guard !bytes.isEmpty else { throw .invalid(parameter, "\(parameter) is empty.", code: "invalid_image") }
        guard isPicture(bytes) else {
            throw .invalid(
                parameter, "\(parameter) is no picture in a format that is read, such as JPEG or PNG.",
                code: "invalid_image")
        }
        return bytes
    }

    private static func isPicture(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { ImageFormat(of: $0) } != nil
    }

    /// Refuses a data URI in a field of texts, where it would be read as letters.
    static func refuseDataURI(in text: String, parameter: String) throws(RequestFailure) {
        guard isDataURI(text) else { return }
        throw .invalid(
            parameter,
            "\(parameter) is a data URI, and this field takes texts; send the picture in a field that takes pictures.",
            code: "picture_as_text")
    }

    /// What a server says that fetches no pictures.
    static func noAddress(_ parameter: String) -> RequestFailure {
        .invalid(
            parameter,
            "\(parameter) must hold the picture itself, as a data URI in base64; this server fetches no such addresses "
                + "and opens no files.", code: "invalid_image_url")
    }

    private static func noBase64(_ parameter: String) -> RequestFailure {
        .invalid(
            parameter, "\(parameter) is not valid base64 of the standard alphabet.", code: "invalid_base64")
    }

    private static func isAddress(_ text: String) -> Bool {
        var rest = text.utf8[...]
        while let byte = rest.first, byte <= 0x20 { rest = rest.dropFirst() }
        return rest.beginsLike("http://") || rest.beginsLike("https://")
    }
}
