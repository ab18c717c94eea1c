import ConcordCore

/// One row of a caption file, as far as it could be understood.
struct CaptionRow {
    /// Why a row or a caption cannot be used.
    struct Problem: Error {
        let reason: SkippedRow.Reason
        let detail: String

        init(_ reason: SkippedRow.Reason, _ detail: String) {
            self.reason = reason
            self.detail = detail
        }
    }

    /// The paths as they are written; nil for what the row does not have.
    let image, audio: String?
    let split, language, voice, condition: String?
    /// None in a row that may be without.
    let captions: [Result<Caption, Problem>]
    /// Whether a member that was read is there twice.
    var isAmbiguous = false
}

/// Reads rows of a `captions.jsonl`.
struct JSONCaptionRow {
    let options: CaptionFileOptions
    private let imageNames: [String]
    private let captionNames: [String]
    private let audioNames: [String]
    private let isOfSounds: Bool

    init(options: CaptionFileOptions, isOfSounds: Bool) {
        self.options = options
        self.isOfSounds = isOfSounds
        audioNames = options.audioColumn.map { [$0] } ?? CaptionFileOptions.audioColumns
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
        func present(_ name: String) -> Bool { value[name].map { !$0.isNull } ?? false }
        let audioName = audioNames.first(where: present)
        let audio = try audioName.flatMap { name throws(CaptionRow.Problem) in try string(name, of: value) }
        guard audio != nil || !isOfSounds else { throw .init(.missingField, "no member `\(audioNames[0])`") }
        // A row with a sound may be without image or captions.
        guard let imageName = imageNames.first(where: { audio == nil ? value[$0] != nil : present($0) }) else {
            guard audio != nil else {
                throw .init(.missingField, "no member `\(imageNames.joined(separator: "` or `"))`")
            }
            return try row(value, image: nil, audio: audio, names: [audioName])
        }
        guard let image = value[imageName]?.string else {
            throw .init(.wrongType, "`\(imageName)` is not a string")
        }
        return try row(value, image: image, audio: audio, names: [imageName, audioName])
    }

    private func row(
        _ value: JSONValue, image: String?, audio: String?, names: [String?]
    ) throws(CaptionRow.Problem) -> CaptionRow {
        var present = captionNames.filter { value[$0] != nil }
        if options.captionColumns == nil { present = Array(present.prefix(1)) }
        if audio != nil { present = present.filter { value[$0]?.isNull == false } }
        guard !present.isEmpty || audio != nil else {
            throw .init(.missingField, "no member `\(captionNames.joined(separator: "` or `"))`")
        }
        let language = try string(options.languageColumn, of: value) ?? options.language
        let kind = try string(options.kindColumn, of: value)
        let captions = present.flatMap { name in
            let value = value[name] ?? .null
            return (value.elements ?? [value]).map { caption($0, language: language, kind: kind) }
        }
        guard !captions.isEmpty || audio != nil else { throw .init(.emptyCaption, "the row has no captions") }
        let isAmbiguous = (names.compactMap(\.self) + present).contains { name in
            (value.members?.count { $0.name == name } ?? 0) > 1
        }
        return CaptionRow(
            image: image, audio: audio, split: try string(options.splitColumn, of: value), language: language,
            voice: try string(options.voiceColumn, of: value),
            condition: try string(options.conditionColumn, of: value), captions: captions, isAmbiguous: isAmbiguous)
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

/// Reads rows of a `captions.csv` or `captions.tsv`, whose header says which column is which.
struct DelimitedCaptionRow {
    private let columnCount: Int
    private let image, audio: Int?
    private let captions: [Int]
    private let split, language, kind, voice, condition: Int?
    private let defaultLanguage: String?
    /// Notes for the user on the header.
    let notes: [String]

    /// Whether a header has the columns that are needed.
    static func hasColumns(
        _ header: DelimitedParser.Row, _ options: CaptionFileOptions, _ isOfSounds: Bool
    ) -> Bool {
        (try? DelimitedCaptionRow(header: header, options: options, isOfSounds: isOfSounds, source: "")) != nil
    }

    /// Finds the columns in the header. Throws `.invalidDataset` when one is missing.
    init(
        header: DelimitedParser.Row, options: CaptionFileOptions, isOfSounds: Bool, source: String
    ) throws(ConcordError) {
        let names = header.fields.map { String(decoding: $0, as: UTF8.self).trimmed }
        func column(_ name: String) -> Int? { names.firstIndex { $0.utf8.elementsEqual(name.utf8) } }
        func required(_ candidates: [String]) throws(ConcordError) -> Int {
            for name in candidates { if let index = column(name) { return index } }
            let hint = candidates.count > 1 ? nil : NearestName.suggestion(for: candidates[0], among: names)
            throw ConcordError(
                .invalidDataset,
                "\(source) has no column `\(candidates.joined(separator: "` or `"))`"
                    + (hint.map { "; did you mean `\($0)`?" }
                        ?? "; name it with --image-column or --caption-column (in a recipe data.image_column, "
                        + "data.caption_columns), and the separator with --separator (data.separator).")
                    + " Columns: " + names.joined(separator: ", "))
        }
        guard !header.isUnclosed else {
            throw ConcordError(.invalidDataset, "\(source) has an unclosed quote in its header; close it")
        }
        columnCount = names.count
        func first(_ candidates: [String]) -> Int? { candidates.lazy.compactMap(column).first }
        let imageNames = options.imageColumn.map { [$0] } ?? CaptionFileOptions.imageColumns
        let audioNames = options.audioColumn.map { [$0] } ?? CaptionFileOptions.audioColumns
        audio = try isOfSounds || options.audioColumn != nil ? required(audioNames) : first(audioNames)
        // A table of sounds may be without images or captions.
        image = try audio == nil || options.imageColumn != nil ? required(imageNames) : first(imageNames)
        if let wanted = options.captionColumns {
            var indices: [Int] = []
            for name in wanted { indices.append(try required([name])) }
            captions = indices
        } else if audio == nil {
            captions = [try required(CaptionFileOptions.captionColumns)]
        } else {
            captions = first(CaptionFileOptions.captionColumns).map { [$0] } ?? []
        }
        split = column(options.splitColumn)
        language = column(options.languageColumn)
        kind = column(options.kindColumn)
        voice = column(options.voiceColumn)
        condition = column(options.conditionColumn)
        defaultLanguage = options.language
        let used = Set(([image, audio, split, language, kind].compactMap(\.self) + captions).map { names[$0] })
        notes = used.sorted().compactMap { name in
            let count = names.count { $0 == name }
            return count > 1 ? "\(source) has \(count) columns named `\(name)`; the first was used" : nil
        }
    }

    /// Understands one row.
    func read(_ row: DelimitedParser.Row) -> Result<CaptionRow, CaptionRow.Problem> {
        do {
            return .success(try captionRow(row))
        } catch {
            return .failure(error)
        }
    }

    private func captionRow(_ row: DelimitedParser.Row) throws(CaptionRow.Problem) -> CaptionRow {
        guard !row.isUnclosed else {
            throw .init(.unclosedQuote, "unclosed quote; write a literal quote twice")
        }
        guard row.fields.count == columnCount else {
            throw .init(.wrongColumnCount, "\(row.fields.count) columns, but the header has \(columnCount)")
        }
        func text(_ column: Int) throws(CaptionRow.Problem) -> String {
            guard let text = String(validUTF8: row.fields[column]) else {
                throw .init(.invalidUTF8, "column \(column + 1) is not valid UTF-8")
            }
            return text
        }
        func optional(_ column: Int?) throws(CaptionRow.Problem) -> String? {
            guard let column else { return nil }
            let value = try text(column).trimmed
            return value.isEmpty ? nil : value
        }
        let language = try optional(language) ?? defaultLanguage
        let kind = try optional(kind)
        var texts: [String] = []
        for column in captions { texts.append(try text(column).trimmed) }
        // A table with a column a caption leaves cells blank where an image has fewer captions.
        let filled = texts.filter { !$0.isEmpty }
        // In a table with sounds a blank cell says that there is none; in others an image and a caption have to be there.
        let image = try audio == nil ? self.image.map(text) : optional(self.image)
        let isBlank = filled.isEmpty && audio == nil
        return CaptionRow(
            image: image, audio: try optional(audio), split: try optional(split), language: language,
            voice: try optional(voice), condition: try optional(condition),
            captions: (isBlank ? [""] : filled).map { .success(Caption($0, language: language, kind: kind)) })
    }
}
