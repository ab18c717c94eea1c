import ConcordCore

/// What `POST /admin/reload` asks for.
struct ReloadRequest: JSONContent {
    struct Fields: FieldGroup {
        static let definition = FieldDefinition(Fields())

        let model = Field<TextKind>.model
    }

    /// Nil for the first.
    let model: String?

    init(_ fields: RequestFields<Fields>) throws(RequestFailure) { model = try fields.value(\.model) }
}

/// What `POST /v2/repository/index` asks for.
struct RepositoryIndexRequest: JSONContent {
    struct Fields: FieldGroup {
        static let definition = FieldDefinition(Fields())

        let ready = Field("ready", .flag, "Whether the list has the ready models only.")
    }

    let isReady: Bool

    init(_ fields: RequestFields<Fields>) throws(RequestFailure) { isReady = try fields.value(\.ready) ?? false }
}

/// What `POST /v2/repository/models/{model}/load` asks for: nothing more. A configuration or files in the request would not
/// be looked at.
struct RepositoryLoadRequest: JSONContent {
    struct Fields: FieldGroup {
        static let definition = FieldDefinition(Fields())

        let parameters = Field("parameters", .object(Parameters.self))
    }

    struct Parameters: FieldGroup {
        static let definition = FieldDefinition(Parameters())
    }

    init(_ fields: RequestFields<Fields>) throws(RequestFailure) { _ = try fields.value(\.parameters) }
}

/// What `POST /v2/repository/models/{model}/unload` asks for: nothing more, since no model depends on another.
struct RepositoryUnloadRequest: JSONContent {
    struct Fields: FieldGroup {
        static let definition = FieldDefinition(Fields())

        let parameters = Field("parameters", .object(Parameters.self))
    }

    struct Parameters: FieldGroup {
        static let definition = FieldDefinition(Parameters())

        let unloadDependents = Field(
            "unload_dependents", .flag, "Either value is the same: no model depends on another.")
    }

    init(_ fields: RequestFields<Fields>) throws(RequestFailure) {
        _ = try fields.value(\.parameters)?.value(\.unloadDependents)
    }
}
