package catalog

// NodePlatform is the platform of the clusters' nodes, which images are built
// for. It never follows the machine that builds.
const NodePlatform = "linux/amd64"
