// swift-tools-version: 6.3
import PackageDescription

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]
let strictC: [CSetting] = [
  .enableWarning("all"), .enableWarning("extra"), .enableWarning("conversion"),
  .treatAllWarnings(as: .error),
]

/// A Swift module of this package: its name and what it may use.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

// Listed from the bottom up: a target depends only on targets above it.
let package = Package(
  name: "maquette",
  products: [.executable(name: "maquette", targets: ["maquette-cli"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
  ],
  targets: [
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(
      name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CSndfile", pkgConfig: "sndfile", providers: [.apt(["libsndfile1-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CPng", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .target(name: "CPngRows", dependencies: ["CPng"], cSettings: strictC),
    .target(name: "CKernels", cSettings: strictC),
    module("TensorCore"),
    module("MediaIO", ["TensorCore", "CSndfile", "CPngRows"]),
    module("ModelKernels", ["CKernels", "TensorCore"]),
    module("ModelIR", ["TensorCore"]),
    module(
      "ModelBundle",
      [
        "ModelIR", "ModelKernels", "TensorCore", "CZstd",
        .product(name: "Crypto", package: "swift-crypto"),
      ]),
    module("ModelOperators", ["ModelIR", "ModelKernels", "TensorCore"]),
    module(
      "ModelRuntime", ["ModelOperators", "ModelIR", "ModelKernels", "TensorCore", "COpenBLAS"]),
    module("ModelPasses", ["ModelOperators", "ModelIR", "TensorCore"]),
    module(
      "ModelAdaptation",
      ["ModelPasses", "ModelRuntime", "ModelOperators", "ModelKernels", "ModelIR", "TensorCore"]),
    module(
      "ModelVerification",
      ["ModelRuntime", "ModelIR", "TensorCore", .product(name: "Crypto", package: "swift-crypto")]),
    module("ModelFamilies", ["MediaIO", "ModelIR", "TensorCore"]),
    .target(
      name: "COnnx", dependencies: ["CProtobufC"], exclude: ["README.md"]),
    module(
      "ModelQuantization",
      [
        "ModelAdaptation", "ModelPasses", "ModelRuntime", "ModelOperators", "ModelKernels",
        "ModelIR", "TensorCore",
      ]),
    module(
      "OnnxFormat",
      ["ModelOperators", "ModelIR", "TensorCore", "COnnx", "CProtobufC", "CZlib"]),
    module(
      "Maquette",
      [
        "OnnxFormat", "ModelAdaptation", "ModelBundle", "ModelFamilies", "ModelPasses",
        "ModelQuantization",
        "ModelVerification", "ModelRuntime", "ModelOperators", "ModelKernels", "ModelIR",
        "MediaIO", "TensorCore",
      ]),
    .executableTarget(
      name: "maquette-cli",
      dependencies: [
        "Maquette", "MediaIO", "TensorCore",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    tests("TensorCoreTests", ["TensorCore"]),
    tests("KernelTests", ["ModelKernels", "TensorCore"]),
    tests("StructureTests", []),
    tests("CLITests", ["maquette-cli"]),
    tests(
      "MaquetteTests",
      [
        "Maquette", "OnnxFormat", "ModelBundle", "ModelQuantization", "ModelOperators", "ModelIR",
        "MediaIO", "TensorCore",
      ]),
    tests("MediaTests", ["MediaIO", "TensorCore"]),
    tests(
      "FamilyTests",
      [
        "ModelFamilies", "OnnxFormat", "ModelPasses", "ModelOperators", "ModelIR", "MediaIO",
        "TensorCore",
      ]),
    tests("ModelIRTests", ["ModelOperators", "ModelIR", "TensorCore"]),
    tests(
      "BundleTests",
      [
        "ModelBundle", "ModelRuntime", "ModelOperators", "ModelIR", "TensorCore", "CZstd",
        .product(name: "Crypto", package: "swift-crypto"),
      ]),
    tests("OperatorTests", ["ModelRuntime", "ModelOperators", "ModelIR", "TensorCore"]),
    tests(
      "OnnxFormatTests",
      [
        "OnnxFormat", "ModelQuantization", "ModelPasses", "ModelRuntime", "ModelOperators",
        "ModelIR", "TensorCore",
      ]),
    tests(
      "QuantizationTests",
      ["ModelQuantization", "ModelRuntime", "ModelOperators", "ModelIR", "TensorCore"]),
    tests(
      "ConformanceTests",
      [
        "OnnxFormat", "ModelBundle", "ModelPasses", "ModelRuntime", "ModelVerification",
        "ModelOperators", "ModelIR", "TensorCore",
      ]),
    tests(
      "PassTests",
      [
        "ModelPasses", "ModelVerification", "ModelRuntime", "OnnxFormat", "ModelOperators",
        "ModelIR", "TensorCore",
      ]),
    tests(
      "AdaptationTests",
      [
        "ModelAdaptation", "OnnxFormat", "ModelPasses", "ModelRuntime", "ModelOperators",
        "ModelIR", "TensorCore",
      ]),
    tests("RuntimeTests", ["ModelRuntime", "ModelOperators", "ModelIR", "TensorCore"]),
    tests(
      "VerificationTests", ["ModelVerification", "ModelOperators", "ModelIR", "TensorCore"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c17
)
