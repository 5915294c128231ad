// Plays systemd-logind for one node, with a system bus of its own: kubelets learn from logind alone that their machine is about to
// shut down, and may ask it to wait. SIGTERM announces the shutdown; nothing is shut down.
//
// It wants a /run of its own, where it writes /run/logind once it can be asked.
package main

import (
	"log"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	folder  = "/run/dbus"
	address = "unix:path=/run/dbus/system_bus_socket" // where everybody looks for the system bus
	path    = dbus.ObjectPath("/org/freedesktop/login1")
	manager = "org.freedesktop.login1.Manager"

	// A bus that is not there by then will not come. A disk from which nobody has read for long is slow.
	start = time.Minute

	// How long a shutdown waits at most, in microseconds. A kubelet that wants more would change the machine's own logind.
	delay = uint64(60_000_000)

	config = `<busconfig>
  <listen>` + address + `</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
  </policy>
</busconfig>
`
)

// Who holds the other end asks for a delay, until it is closed. Nobody waits for that here, but it must not close by itself.
var held []*os.File

func main() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	bus := startBus()
	must(bus.ExportMethodTable(map[string]any{"Inhibit": inhibit}, path, manager))
	must(bus.ExportMethodTable(map[string]any{"Get": get}, path, "org.freedesktop.DBus.Properties"))
	_, err := bus.RequestName("org.freedesktop.login1", dbus.NameFlagDoNotQueue)
	must(err)
	must(os.WriteFile("/run/logind", nil, 0o644))
	for range asked {
		log.Print("announcing a shutdown")
		must(bus.Emit(path, manager+".PrepareForShutdown", true))
	}
}

func startBus() *dbus.Conn {
	must(os.MkdirAll(folder, 0o755))
	file := folder + "/system.conf"
	must(os.WriteFile(file, []byte(config), 0o644))
	daemon := exec.Command("dbus-daemon", "--nofork", "--nopidfile", "--config-file="+file)
	daemon.Stderr = os.Stderr
	must(daemon.Start())
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		bus, err := dbus.Connect(address)
		if err == nil {
			return bus
		}
		if time.Since(begun) > start {
			log.Fatal(err)
		}
	}
}

func inhibit(what, who, why, mode string) (dbus.UnixFD, *dbus.Error) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		return 0, dbus.MakeFailedError(err)
	}
	held = append(held, ours, theirs)
	log.Printf("%s asks to %s a %s: %s", who, mode, what, why)
	return dbus.UnixFD(theirs.Fd()), nil
}

func get(of, name string) (dbus.Variant, *dbus.Error) {
	return dbus.MakeVariant(delay), nil
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
