// Package main is a CSI driver of volumes that live as long as their pod (ephemeral inline volumes), for tests: the node
// half of a driver, and its registration with one kubelet. A volume is a folder, bind-mounted where the kubelet wants it.
//
// It is our own because upstream's host path driver and node-driver-registrar are not to be had as Go modules everywhere.
// The interfaces are upstream's: the official CSI specification and the kubelet's API of plug-ins.
//
// Every call that publishes or unpublishes is one line of JSON on standard output.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// Attributes of a volume that mean something to this driver; others are told and not looked at.
const (
	// Text of the file "greeting" in the new volume.
	greetingAttribute = "greeting"
	// The volume is refused in these words.
	refuseAttribute = "refuse"
)

type driver struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedNodeServer
	registration.UnimplementedRegistrationServer

	name, node, endpoint, state string
	// Calls come side by side, also for the same volume.
	mutex sync.Mutex
}

type line struct {
	Call     string            `json:"call"`
	Volume   string            `json:"volume,omitempty"`
	Target   string            `json:"target,omitempty"`
	ReadOnly bool              `json:"readOnly,omitempty"`
	FSType   string            `json:"fsType,omitempty"`
	Context  map[string]string `json:"context,omitempty"`
	Error    string            `json:"error,omitempty"`
}

func (d *driver) tell(told line) {
	text, err := json.Marshal(told)
	if err != nil {
		fail(err)
	}
	// One write each: lines do not mix.
	_, _ = os.Stdout.Write(append(text, '\n'))
}

func (d *driver) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: d.name, VendorVersion: "1"}, nil
}

func (d *driver) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	return &csi.GetPluginCapabilitiesResponse{}, nil
}

func (d *driver) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

func (d *driver) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: d.node}, nil
}

func (d *driver) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{}, nil
}

func (d *driver) NodePublishVolume(_ context.Context, r *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	told := line{
		Call: "publish", Volume: r.VolumeId, Target: r.TargetPath, ReadOnly: r.Readonly,
		FSType: r.GetVolumeCapability().GetMount().GetFsType(), Context: r.VolumeContext,
	}
	err := d.publish(r)
	if err != nil {
		told.Error = err.Error()
	}
	d.tell(told)
	return &csi.NodePublishVolumeResponse{}, err
}

func (d *driver) publish(r *csi.NodePublishVolumeRequest) error {
	folder, err := d.folder(r.VolumeId)
	if err != nil {
		return err
	}
	switch {
	case r.TargetPath == "":
		return status.Error(codes.InvalidArgument, "no target path")
	case r.GetVolumeCapability().GetMount() == nil:
		return status.Error(codes.InvalidArgument, "the volume is a folder: it can only be mounted")
	case r.VolumeContext[refuseAttribute] != "":
		return status.Error(codes.InvalidArgument, r.VolumeContext[refuseAttribute])
	}
	if isMounted(r.TargetPath) {
		return nil
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	if greeting, asked := r.VolumeContext[greetingAttribute]; asked {
		if err := os.WriteFile(filepath.Join(folder, "greeting"), []byte(greeting+"\n"), 0o644); err != nil {
			return status.Error(codes.Internal, err.Error())
		}
	}
	// The kubelet makes the folder above; the target itself is the driver's to make.
	if err := os.MkdirAll(r.TargetPath, 0o755); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	if err := syscall.Mount(folder, r.TargetPath, "", syscall.MS_BIND, ""); err != nil {
		return status.Errorf(codes.Internal, "mount at %s: %v", r.TargetPath, err)
	}
	if r.Readonly {
		if err := syscall.Mount("", r.TargetPath, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
			return status.Errorf(codes.Internal, "mount read-only at %s: %v", r.TargetPath, err)
		}
	}
	return nil
}

func (d *driver) NodeUnpublishVolume(_ context.Context, r *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	told := line{Call: "unpublish", Volume: r.VolumeId, Target: r.TargetPath}
	err := d.unpublish(r)
	if err != nil {
		told.Error = err.Error()
	}
	d.tell(told)
	return &csi.NodeUnpublishVolumeResponse{}, err
}

func (d *driver) unpublish(r *csi.NodeUnpublishVolumeRequest) error {
	folder, err := d.folder(r.VolumeId)
	if err != nil {
		return err
	}
	for isMounted(r.TargetPath) {
		if err := syscall.Unmount(r.TargetPath, 0); err != nil {
			return status.Errorf(codes.Internal, "unmount %s: %v", r.TargetPath, err)
		}
	}
	// Not RemoveAll: were something still mounted there, it would be emptied.
	if err := os.Remove(r.TargetPath); err != nil && !errors.Is(err, os.ErrNotExist) {
		return status.Error(codes.Internal, err.Error())
	}
	if err := os.RemoveAll(folder); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return nil
}

// The folder of a volume, whose id must be no path.
func (d *driver) folder(id string) (string, error) {
	if id == "" || id != filepath.Base(id) || strings.HasPrefix(id, ".") {
		return "", status.Errorf(codes.InvalidArgument, "%q is no volume's id", id)
	}
	return filepath.Join(d.state, id), nil
}

// Whether something is mounted exactly there.
func isMounted(path string) bool {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	for entry := range strings.Lines(string(table)) {
		if fields := strings.Fields(entry); len(fields) > 4 && fields[4] == path {
			return true
		}
	}
	return false
}

func (d *driver) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: d.name, Endpoint: d.endpoint, SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (d *driver) NotifyRegistrationStatus(_ context.Context, r *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if r.PluginRegistered {
		d.tell(line{Call: "registered"})
	} else {
		d.tell(line{Call: "registered", Error: r.Error})
	}
	return &registration.RegistrationStatusResponse{}, nil
}

func serve(socket string, register func(*grpc.Server)) *grpc.Server {
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		fail(err)
	}
	// Left by one that was killed.
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		fail(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		fail(err)
	}
	server := grpc.NewServer()
	register(server)
	go func() {
		if err := server.Serve(listener); err != nil {
			fail(err)
		}
	}()
	return server
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	name := flag.String("driver", "", "name of the driver")
	node := flag.String("node", "", "id of the node")
	kubelet := flag.String("kubelet", "", "the kubelet's root directory")
	state := flag.String("state", "", "folder for the volumes")
	flag.Parse()
	for option, value := range map[string]string{"driver": *name, "node": *node, "kubelet": *kubelet, "state": *state} {
		if value == "" {
			fail(fmt.Errorf("--%s is missing", option))
		}
	}
	d := &driver{name: *name, node: *node, state: *state, endpoint: filepath.Join(*kubelet, "plugins", *name, "csi.sock")}
	// The driver answers before the kubelet hears of it. When the registration's socket goes, the kubelet forgets the driver.
	calls := serve(d.endpoint, func(server *grpc.Server) {
		csi.RegisterIdentityServer(server, d)
		csi.RegisterNodeServer(server, d)
	})
	offer := serve(filepath.Join(*kubelet, "plugins_registry", *name+"-reg.sock"), func(server *grpc.Server) {
		registration.RegisterRegistrationServer(server, d)
	})
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
	offer.Stop()
	calls.GracefulStop()
	_ = os.Remove(filepath.Dir(d.endpoint))
}
