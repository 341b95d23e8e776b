// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// Kernels are optimised in debug builds too, because tests run them on real models.
///
/// SwiftPM accepts unsafe flags in dependencies whose tools version is at least 6.2.
let optimised: [CSetting] = [
    .treatAllWarnings(as: .error),
    .unsafeFlags(["-O2"], .when(configuration: .debug)),
]

/// Modules, and tests of kernels, are optimised for the same reason.
///
/// Assertions stay.
let computing: [SwiftSetting] =
    strict + [
        .unsafeFlags(
            ["-O", "-Xfrontend", "-assert-config", "-Xfrontend", "Debug"],
            .when(configuration: .debug))
    ]

/// Returns a library target in Swift.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: computing)
}

/// Returns the tests of one target.
///
/// If `fixtures` is true, the folder `Fixtures` is copied.
func tests(
    of name: String, using others: [Target.Dependency] = [], fixtures: Bool = false,
    settings: [SwiftSetting] = strict
) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.byName(name: name), "TestSupport"] + others,
        resources: fixtures ? [.copy("Fixtures")] : [],
        swiftSettings: settings)
}

let package = Package(
    name: "espalier",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "espalier", targets: ["espalier"]),
        .library(
            name: "Espalier",
            targets: [
                "Pipeline", "Tensors", "ModelFiles", "Tokenizers", "Transformers", "Training",
                "Profiling", "Pruning", "Evaluation", "ContextualSparsity", "Reporting",
            ]),
    ],
    targets: [
        .target(
            name: "CKernels", cSettings: optimised, linkerSettings: [.linkedLibrary("m")]),
        .target(name: "CHost", cSettings: [.treatAllWarnings(as: .error)]),
        .target(name: "CProse", cSettings: [.treatAllWarnings(as: .error)]),
        module("Tensors", ["CKernels", "CHost"]),
        module("ModelFiles", ["Tensors"]),
        module("Tokenizers", ["ModelFiles"]),
        module("Transformers", ["Tensors", "ModelFiles", "Tokenizers"]),
        module("Training", ["Transformers", "Tensors", "ModelFiles"]),
        module("Profiling", ["Transformers", "Tensors", "ModelFiles", "CHost"]),
        module(
            "Pruning",
            ["Profiling", "Training", "Transformers", "Tensors", "ModelFiles", "Tokenizers"]),
        module("Evaluation", ["Transformers", "Tensors", "ModelFiles", "Tokenizers", "CProse"]),
        module(
            "ContextualSparsity",
            [
                "Pruning", "Profiling", "Evaluation", "Training", "Transformers", "Tensors",
                "ModelFiles",
            ]),
        module("Reporting", []),
        module(
            "Pipeline",
            [
                "ContextualSparsity", "Pruning", "Profiling", "Evaluation", "Training",
                "Transformers", "Tokenizers", "Tensors", "ModelFiles", "Reporting", "CHost",
            ]),
        module("Console", ["Reporting"]),
        .executableTarget(
            name: "espalier",
            dependencies: [
                "Console", "Pipeline", "Tensors", "ModelFiles", "Transformers", "Profiling",
                "Pruning", "Training", "ContextualSparsity", "Reporting",
            ],
            swiftSettings: strict),
        .target(
            name: "TestSupport", dependencies: ["ModelFiles", "Tensors"],
            path: "Tests/TestSupport",
            swiftSettings: strict),
        .executableTarget(
            name: "fuzz",
            dependencies: [
                "Tensors", "ModelFiles", "Tokenizers", "Transformers", "Profiling", "Pruning",
                "Training", "Evaluation", "ContextualSparsity", "Reporting",
            ],
            path: "Tests/Fuzz", swiftSettings: strict),
        tests(of: "Tensors", using: ["CKernels"], settings: computing),
        tests(of: "ModelFiles", fixtures: true),
        tests(of: "Tokenizers", using: ["ModelFiles", "Tensors"], fixtures: true),
        tests(of: "Transformers", using: ["ModelFiles", "Tensors"], fixtures: true),
        tests(of: "Profiling", using: ["CHost", "ModelFiles", "Transformers"]),
        tests(of: "Training", using: ["Transformers", "Tensors"], fixtures: true),
        tests(of: "Pruning", using: ["Profiling", "Transformers", "ModelFiles", "Tensors"]),
        tests(
            of: "Evaluation", using: ["Transformers", "ModelFiles", "Tensors", "Tokenizers"],
            fixtures: true),
        tests(
            of: "ContextualSparsity",
            using: ["Pruning", "Transformers", "Tensors", "Evaluation", "ModelFiles"]),
        tests(of: "Reporting"),
        tests(
            of: "Pipeline",
            using: ["Profiling", "Transformers", "Tokenizers", "Reporting", "ModelFiles"]),
        tests(of: "Console"),
        tests(of: "espalier", using: ["ModelFiles", "Pruning", "Profiling", "Tensors"]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)
