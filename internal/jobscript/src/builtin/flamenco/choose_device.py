# Chooses the device that Cycles renders on; Blender renders after this as its arguments say. Complete in itself and
# short, because it is repeated in each task of a long sequence.
import bpy, sys

wanted, fall_back, samples, denoiser = sys.argv[sys.argv.index("--") + 1:][:4]
scene = bpy.context.scene
render = scene.render


def fail(text):
    raise RuntimeError(text)


def devices(kind):
    addon = bpy.context.preferences.addons.get("cycles")
    if addon is None:
        return []
    preferences = addon.preferences
    try:
        preferences.compute_device_type = kind
    except TypeError:
        # This Blender was built without it.
        return []
    if hasattr(preferences, "refresh_devices"):
        preferences.refresh_devices()
    else:
        preferences.get_devices()
    for device in preferences.devices:
        device.use = device.type == kind
    return [device.name for device in preferences.devices if device.use]


if render.engine != "CYCLES":
    fail('the scene "%s" is rendered with %s, not with Cycles' % (scene.name, render.engine))
found = [] if wanted == "CPU" else devices(wanted)
if found:
    print("Rendering on %s: %s" % (wanted, ", ".join(found)))
elif wanted == "CPU":
    print("Rendering on the CPU")
elif fall_back == "1":
    print("WARNING: %s is not available on this worker; rendering on the CPU" % wanted)
else:
    fail("%s is not available on this worker, and the job does not allow the CPU" % wanted)
scene.cycles.device = "GPU" if found else "CPU"

if int(samples):
    scene.cycles.samples = int(samples)
if denoiser == "off":
    scene.cycles.use_denoising = False
elif denoiser != "scene":
    scene.cycles.use_denoising = True
    try:
        scene.cycles.denoiser = denoiser
    except TypeError:
        fail("the denoiser %s is not available on this worker" % denoiser)

render.use_file_extension = True
render.use_overwrite = False
render.use_placeholder = False
sys.stdout.flush()
