package catalog

// NodePlatform is the platform of the clusters' nodes, for which images are
// built, independent of the machine that builds.
const NodePlatform = "linux/amd64"
