package config

// Parse converts an input, fills in defaults and checks what can be checked
// without the services that are derived from it. On mistakes it returns an
// *Error that lists them, and the configuration as far as it could be read, so
// that package stack can add the mistakes that it finds.
func Parse(stack string, input Input) (*Config, error) {
	c := Defaults(stack)
	c.usePreset(input)
	found := &mistakes{}
	decode(input, c, found)
	c.resolveModes()
	c.resolveMigrations()
	c.resolvePins()
	c.resolveMesh()
	c.checkNames(found)
	c.check(found)
	return c, found.err(stack)
}
