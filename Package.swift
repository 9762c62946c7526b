// swift-tools-version: 6.2
import PackageDescription

// Arrows between modules are fixed by Sources/README.md; Tests/Structure enforces them.

let language: [SwiftSetting] = [
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]
/// From layer 2 up a raw pointer compiles only where the word `unsafe` marks it.
let safe: [SwiftSetting] = language + [.strictMemorySafety(), .treatWarning("StrictMemorySafety", as: .error)]

let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "lacuna",
    products: [.executable(name: "lacuna", targets: ["lacuna"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // Layer 0: C libraries and C loops
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "COpenMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
        .systemLibrary(name: "CJPEG", pkgConfig: "libjpeg", providers: [.apt(["libjpeg-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CKernels"),
        .target(name: "CImage", dependencies: ["CJPEG"]),
        .target(name: "Messages", swiftSettings: safe),
        .target(name: "Recipes", dependencies: ["Messages", yams], swiftSettings: safe),
        // Layer 1: homes of unsafe memory
        .target(name: "Kernels", dependencies: ["CKernels", "COpenBLAS"], swiftSettings: language),
        .target(name: "Platform", dependencies: ["Kernels", "CZlib"], swiftSettings: language),
        // Layer 2
        .target(name: "Autodiff", dependencies: ["Kernels"], swiftSettings: safe),
        .target(
            name: "Batches", dependencies: ["Kernels", "Messages", "Platform", "CImage", "Recipes"], swiftSettings: safe
        ),
        .target(name: "Cluster", dependencies: ["Kernels", "Platform", "COpenMPI"], swiftSettings: safe),
        .target(name: "Checkpoints", dependencies: ["Kernels", "Messages", "Platform"], swiftSettings: safe),
        // Layers 3 to 5
        .target(name: "Optimizers", dependencies: ["Autodiff", "Kernels", "Recipes"], swiftSettings: safe),
        .target(name: "Layers", dependencies: ["Autodiff", "Kernels"], swiftSettings: safe),
        .target(
            name: "Models", dependencies: ["Layers", "Autodiff", "Kernels", "Messages", "Recipes"], swiftSettings: safe),
        .target(
            name: "Objectives",
            dependencies: [
                "Models", "Layers", "Optimizers", "Autodiff", "Batches", "Cluster", "Checkpoints", "Kernels",
                "Messages", "Platform", "Recipes",
            ],
            swiftSettings: safe),
        // Layer 6
        .target(
            name: "Training",
            dependencies: [
                "Optimizers", "Objectives", "Models", "Layers", "Autodiff", "Batches", "Cluster", "Checkpoints",
                "Recipes", "Kernels", "Messages", "Platform",
            ],
            swiftSettings: safe),
        .target(
            name: "Evaluation",
            dependencies: [
                "Training", "Optimizers", "Objectives", "Models", "Layers", "Autodiff", "Batches", "Cluster",
                "Checkpoints", "Recipes", "Kernels", "Messages", "Platform",
            ],
            swiftSettings: safe),
        // Layer 7
        .executableTarget(
            name: "lacuna",
            dependencies: [
                "Training", "Evaluation", "Optimizers", "Objectives", "Models", "Autodiff", "Batches", "Cluster",
                "Checkpoints", "Recipes", "Kernels", "Messages", "Platform", arguments,
            ],
            swiftSettings: safe),
        // Tests
        .testTarget(name: "KernelsTests", dependencies: ["Kernels", "Platform", "CKernels"]),
        .target(name: "AllocationCounter", path: "Tests/AllocationCounter"),
        .testTarget(name: "AutodiffTests", dependencies: ["Autodiff", "Kernels", "AllocationCounter"]),
        .target(name: "CTestJPEG", dependencies: ["CJPEG"], path: "Tests/CTestJPEG"),
        .testTarget(name: "BatchesTests", dependencies: ["Batches", "Kernels", "Platform", "Recipes", "CTestJPEG"]),
        .executableTarget(
            name: "ClusterProbe", dependencies: ["Cluster", "Kernels", "Platform"], path: "Tests/ClusterProbe"),
        .testTarget(name: "ClusterTests", dependencies: ["Cluster", "Kernels", "Platform", "ClusterProbe"]),
        .testTarget(name: "CheckpointsTests", dependencies: ["Checkpoints", "Kernels", "Messages", "Platform"]),
        .testTarget(
            name: "RecipesTests", dependencies: ["Recipes", "Objectives", "Models", "Optimizers"], exclude: ["Schema1"]),
        .testTarget(
            name: "LayersTests",
            dependencies: ["Layers", "Models", "Objectives", "Autodiff", "Kernels", "AllocationCounter"]),
        .testTarget(
            name: "TrainingTests",
            dependencies: [
                "Training", "Optimizers", "Objectives", "Models", "Layers", "Autodiff", "Cluster", "Batches",
                "Checkpoints", "Recipes", "Kernels", "Platform", "AllocationCounter",
            ],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "EvaluationTests",
            dependencies: [
                "Evaluation", "Training", "Optimizers", "Objectives", "Autodiff", "Batches", "Cluster", "Checkpoints",
                "Recipes", "Kernels", "Messages", "Platform",
            ]),
        .testTarget(
            name: "LacunaTests",
            dependencies: [
                "lacuna", "Training", "Optimizers", "Objectives", "Autodiff", "Batches", "Cluster", "Checkpoints",
                "Recipes",
                "Kernels",
            ]),
        .testTarget(name: "Structure", exclude: ["words.txt"]),
        .testTarget(
            name: "Golden",
            dependencies: [
                "Evaluation", "Training", "Optimizers", "Objectives", "Models", "Layers", "Autodiff", "Batches",
                "Checkpoints", "Recipes", "Kernels", "Messages", "Platform",
            ],
            exclude: ["Fixtures", "bits", "bits.json"]),
    ]
)
