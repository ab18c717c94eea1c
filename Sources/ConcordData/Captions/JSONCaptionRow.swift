import ConcordCore

/// Reads rows of a `captions.jsonl`.
struct JSONCaptionRow {
    let options: CaptionFileOptions
    private let imageNames: [String]
    private let captionNames: [String]

    init(options: CaptionFileOptions) {
        self.options = options
        imageNames = options.imageColumn.map { [$0] } ?? CaptionFileOptions.imageColumns
        captionNames = options.captionColumns ?? CaptionFileOptions.captionColumns
    }

    /// Understands one line.
    func read(_ bytes: UnsafeRawBufferPointer.SubSequence) -> Result<CaptionRow, CaptionRow.Problem> {
        do {
            return .success(try row(bytes))
        } catch {
            return .failure(error)
        }
    }

    private func row(_ bytes: UnsafeRawBufferPointer.SubSequence) throws(CaptionRow.Problem) -> CaptionRow {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: bytes, source: "the row")
        } catch {
            guard String(validUTF8: Array(bytes)) != nil else {
                throw .init(.invalidUTF8, "the row is not valid UTF-8")
            }
            throw .init(.invalidJSON, error.message)
        }
        guard value.members != nil else { throw .init(.wrongType, "the row is not a JSON object") }
        guard let imageName = imageNames.first(where: { value[$0] != nil }) else {
            throw .init(.missingField, "no member `\(imageNames.joined(separator: "` or `"))`")
        }
        guard let image = value[imageName]?.string else {
            throw .init(.wrongType, "`\(imageName)` is not a string")
        }
        var present = captionNames.filter { value[$0] != nil }
        if options.captionColumns == nil { present = Array(present.prefix(1)) }
        guard !present.isEmpty else {
            throw .init(.missingField, "no member `\(captionNames.joined(separator: "` or `"))`")
        }
        let language = try string(options.languageColumn, of: value) ?? options.language
        let kind = try string(options.kindColumn, of: value)
        let split = try string(options.splitColumn, of: value)
        let captions = present.flatMap { name in
            let value = value[name] ?? .null
            return (value.elements ?? [value]).map { caption($0, language: language, kind: kind) }
        }
        let isAmbiguous = ([imageName] + present).contains { name in
            (value.members?.count { $0.name == name } ?? 0) > 1
        }
        return CaptionRow(image: image, split: split, captions: captions, isAmbiguous: isAmbiguous)
    }

    private func string(_ name: String, of value: JSONValue) throws(CaptionRow.Problem) -> String? {
        guard let member = value[name], !member.isNull else { return nil }
        guard let text = member.string else { throw .init(.wrongType, "`\(name)` is not a string") }
        return text
    }

    /// A caption: a string, or an object with `text` and, perhaps, its own `language` and `kind`.
    private func caption(
        _ value: JSONValue, language: String?, kind: String?
    ) -> Result<Caption, CaptionRow.Problem> {
        switch value {
        case .string(let text): return .success(Caption(text, language: language, kind: kind))
        case .null: return .failure(.init(.emptyCaption, "the caption is null"))
        case .object:
            guard let text = value["text"]?.string else {
                return .failure(.init(.wrongType, "a caption object has no string `text`"))
            }
            do {
                let own = (try string("language", of: value), try string("kind", of: value))
                return .success(Caption(text, language: own.0 ?? language, kind: own.1 ?? kind))
            } catch {
                return .failure(error)
            }
        default: return .failure(.init(.wrongType, "a caption is neither a string nor an object"))
        }
    }
}
