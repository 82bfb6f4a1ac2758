package render

// Profiles of the compose file.
const (
	profileAll        = "all"
	profileMonitoring = "monitoring"
)
