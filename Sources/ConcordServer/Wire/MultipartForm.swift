import ConcordCore

/// The parts of a `multipart/form-data` body (RFC 7578).
struct MultipartForm: Sendable {
    struct Part: Sendable {
        let name: String
        /// True if the client sent it as a file, whose name is ignored.
        let isFile: Bool
        let bytes: [UInt8]
    }

    struct Limits: Sendable {
        var parts = 2048
        /// Bytes of the headers of one part.
        var headerBytes = 4096
        /// Bytes of a part that is not a file.
        var textBytes = 1 << 20
    }

    let parts: [Part]

    /// The boundary of a content type; `nil` for one that is not `multipart/form-data` with a valid boundary.
    static func boundary(ofContentType text: String) -> String? {
        var fields = text.split(separator: ";", omittingEmptySubsequences: false)
        guard fields.removeFirst().trimmed.lowercased() == "multipart/form-data" else { return nil }
        for field in fields {
            let sides = field.split(separator: "=", maxSplits: 1)
            guard sides.count == 2, sides[0].trimmed.lowercased() == "boundary" else { continue }
            var value = sides[1].trimmed
            if value.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") {
                value = String(value.dropFirst().dropLast())
            }
            let isValid = (1...70).contains(value.utf8.count) && value.utf8.allSatisfy { (0x20...0x7E).contains($0) }
            return isValid ? value : nil
        }
        return nil
    }

    init(_ body: [UInt8], boundary: String, limits: Limits = Limits()) throws(ServingError) {
        let delimiter = Array("\r\n--\(boundary)".utf8)
        // The first delimiter may stand at the very beginning, without its line break.
        var position: Int
        if body.starts(with: delimiter.dropFirst(2)) {
            position = delimiter.count - 2
        } else if let start = Self.find(delimiter, in: body, from: 0) {
            position = start + delimiter.count
        } else {
            throw Self.malformed("it has no boundary")
        }
        var parts: [Part] = []
        while true {
            if body[position...].starts(with: [0x2D, 0x2D]) { break }
            while position < body.count, body[position] == 0x20 || body[position] == 0x09 { position += 1 }
            guard body[position...].starts(with: [0x0D, 0x0A]) else { throw Self.malformed("a boundary line goes on") }
            position += 2
            guard parts.count < limits.parts else { throw .tooLarge("The form has more than \(limits.parts) parts.") }
            guard
                let headersEnd = Self.find(
                    [0x0D, 0x0A, 0x0D, 0x0A], in: body, from: position - 2, limit: limits.headerBytes)
            else { throw Self.malformed("the headers of a part do not end within \(limits.headerBytes) bytes") }
            let headers = body[min(position, headersEnd)..<headersEnd]
            let start = headersEnd + 4
            // The line break before a delimiter may be that which ends the headers of an empty part.
            guard let end = Self.find(delimiter, in: body, from: max(headersEnd + 2, start - 2)) else {
                throw Self.malformed("the last part has no end")
            }
            let content = Array(body[min(start, end)..<end])
            let part = try Self.part(headers: headers, content)
            guard part.isFile || content.count <= limits.textBytes else {
                throw .tooLarge("A text of the form has more than \(limits.textBytes) bytes.", parameter: part.name)
            }
            parts.append(part)
            position = end + delimiter.count
        }
        self.parts = parts
    }

    /// The only part of a name that is not a file, as text.
    func text(_ name: String) throws(ServingError) -> String? {
        let found = parts.filter { $0.name == name && !$0.isFile }
        guard found.count <= 1 else { throw .invalid(name, "The field \"\(name)\" occurs twice.") }
        return try found.first.map { part throws(ServingError) in try Self.text(part) }
    }

    static func text(_ part: Part) throws(ServingError) -> String {
        guard let text = String(validating: part.bytes, as: UTF8.self) else {
            throw .invalid(part.name, "The field \"\(part.name)\" is not UTF-8.")
        }
        return text
    }

    private static func part(headers: ArraySlice<UInt8>, _ content: [UInt8]) throws(ServingError) -> Part {
        guard let text = String(validating: headers, as: UTF8.self) else { throw malformed("a header is not UTF-8") }
        for line in text.split(separator: "\r\n" as Character) {
            guard line.lowercased().hasPrefix("content-disposition:") else { continue }
            let fields = parameters(String(line.dropFirst("content-disposition:".count)))
            guard let name = fields["name"], !name.isEmpty else { break }
            return Part(name: name, isFile: fields["filename"] != nil || fields["filename*"] != nil, bytes: content)
        }
        throw malformed("a part has no name")
    }

    /// `form-data; name="a"; filename="b;c"`: the parameters by lowercased name.
    private static func parameters(_ text: String) -> [String: String] {
        var (fields, name, value): ([String: String], String, String?) = ([:], "", nil)
        var (isQuoted, isEscaped) = (false, false)
        func finish() {
            if let value { fields[name.trimmed.lowercased()] = value }
            (name, value) = ("", nil)
        }
        for letter in text {
            if isEscaped {
                value?.append(letter)
                isEscaped = false
            } else if isQuoted {
                if letter == "\\" {
                    isEscaped = true
                } else if letter == "\"" {
                    isQuoted = false
                } else {
                    value?.append(letter)
                }
            } else if letter == ";" {
                finish()
            } else if value == nil {
                if letter == "=" { value = "" } else { name.append(letter) }
            } else if letter == "\"" {
                isQuoted = true
            } else if !letter.isWhitespace {
                value?.append(letter)
            }
        }
        finish()
        return fields
    }

    /// The position of `pattern` at or after `start`; `nil` if it is not there within `limit` bytes.
    private static func find(_ pattern: [UInt8], in body: [UInt8], from start: Int, limit: Int = .max) -> Int? {
        guard start < body.count, let first = pattern.first else { return nil }
        let end = limit < body.count - start ? start + limit : body.count
        return body.withUnsafeBytes { body in
            pattern.withUnsafeBytes { pattern -> Int? in
                guard let bytes = body.baseAddress, let wanted = pattern.baseAddress else { return nil }
                var position = start
                while position + pattern.count <= end {
                    let count = end - pattern.count + 1 - position
                    guard let found = memchr(bytes + position, Int32(first), count) else { return nil }
                    if memcmp(found, wanted, pattern.count) == 0 { return UnsafeRawPointer(found) - bytes }
                    position = UnsafeRawPointer(found) - bytes + 1
                }
                return nil
            }
        }
    }

    private static func malformed(_ problem: String) -> ServingError {
        .invalid(nil, "The body is no valid multipart form: \(problem).", code: "invalid_form")
    }
}
