package contract

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Credentials are as whom a process runs and what it can do.
type Credentials struct {
	UID    int   `json:"uid"`
	GID    int   `json:"gid"`
	Groups []int `json:"groups"`
	// Capabilities, Bounding, NoNewPrivileges and Seccomp are the lines CapEff,
	// CapBnd, NoNewPrivs and Seccomp of its status in /proc.
	Capabilities    string `json:"capabilities"`
	Bounding        string `json:"bounding"`
	NoNewPrivileges string `json:"noNewPrivileges"`
	Seccomp         string `json:"seccomp"`
}

// Account is what there is to tell about a container from inside.
type Account struct {
	// Credentials are those of the process that asks.
	Credentials
	// First are those of the first process of the container.
	First Credentials `json:"first"`
	// Writable are the folders that the process can create a file in; of other
	// mounts than that of the folder it began with, where they are mounted.
	Writable []string `json:"writable"`
}

// About tells as whom this process and the first one run, and where it can write
// below a folder.
func About(folder string) Account {
	return Account{Credentials: credentials("self"), First: credentials("1"), Writable: writable(folder)}
}

// credentials reads the status of a process; what cannot be read is left empty.
func credentials(process string) Credentials {
	c := Credentials{UID: -1, GID: -1}
	status, _ := os.ReadFile(filepath.Join("/proc", process, "status"))
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "Uid":
			c.UID = effective(value)
		case "Gid":
			c.GID = effective(value)
		case "Groups":
			for _, group := range strings.Fields(value) {
				number, _ := strconv.Atoi(group)
				c.Groups = append(c.Groups, number)
			}
		case "CapEff":
			c.Capabilities = value
		case "CapBnd":
			c.Bounding = value
		case "NoNewPrivs":
			c.NoNewPrivileges = value
		case "Seccomp":
			c.Seccomp = value
		}
	}
	return c
}

// effective is the effective one of the real, effective, saved and file system
// ids.
func effective(ids string) int {
	fields := strings.Fields(ids)
	if len(fields) < 2 {
		return -1
	}
	id, err := strconv.Atoi(fields[1])
	if err != nil {
		return -1
	}
	return id
}

// writable tries to create a file in every folder below one. It does not look
// into other mounts than that of the first; the file systems of the kernel are
// left out.
func writable(folder string) []string {
	mounts := map[string]bool{}
	table, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > mountPoint && fields[mountPoint] != "/" {
			mounts[fields[mountPoint]] = true
		}
	}
	found := []string{}
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case path == "/proc" || path == "/sys":
			return fs.SkipDir
		case err != nil || !entry.IsDir():
			return nil
		}
		probe := filepath.Join(path, ".contract-probe")
		if os.WriteFile(probe, nil, 0o600) == nil {
			_ = os.Remove(probe)
			found = append(found, path)
		}
		if mounts[path] && path != folder && path != "/dev" {
			return fs.SkipDir
		}
		return nil
	})
	return found
}

// mountPoint is the field of a line of mountinfo that says where it is.
const mountPoint = 4
