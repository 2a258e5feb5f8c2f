# Runs the compositor of a scene over pixels that are there already. Follows blender.py.


def compositor():
    # Blender 5 has a node group in place of the tree.
    if hasattr(scene, "compositing_node_group"):
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def trees_of(tree, known=None):
    known = [] if known is None else known
    if tree and tree not in known:
        known.append(tree)
        for node in tree.nodes:
            trees_of(getattr(node, "node_tree", None), known)
    return known


def plain(name):
    # "Combined" is the image itself; Blender 5 writes the names of some passes in full.
    known = {"combined": "image", "dif": "diffuse", "col": "color", "dir": "direct", "ind": "indirect"}
    return known.get(name.lower(), name.lower().replace(" ", ""))


def render_layers():
    found = []
    for tree in trees_of(compositor()):
        for node in tree.nodes:
            if node.type == "CRYPTOMATTE_V2" and node.source == "RENDER":
                fail('the node "%s" reads the render; let it read an image instead' % node.name)
            if node.type == "R_LAYERS":
                if node.scene not in (None, scene):
                    fail('the node "%s" needs a render of the scene "%s"' % (node.name, node.scene.name))
                found.append((tree, node))
    return found


def used(node):
    return [output for output in node.outputs if output.enabled and output.is_linked]


# Without Render Layers nodes Blender has nothing to render, and only runs the compositor.
def replace_render_layers(image):
    for tree, node in render_layers():
        source = tree.nodes.new("CompositorNodeImage")
        source.image = image
        if source.has_layers:
            try:
                source.layer = node.layer
            except TypeError:
                fail('the frames have no view layer "%s", which the compositor uses' % node.layer)
        # Other files have a socket for depth too, with nothing behind it.
        passes = [output for output in source.outputs
                  if source.has_layers or plain(output.name) in ("image", "alpha")]
        there = {}
        for output in passes:
            there.setdefault(plain(output.name), output)
        for output in used(node):
            target = there.get(plain(output.name))
            if target is None:
                names = ", ".join(output.name for output in passes)
                fail('the compositor uses the pass "%s", but the frames only have: %s' % (output.name, names))
            for link in list(output.links):
                tree.links.new(target, link.to_socket)
        tree.nodes.remove(node)


# A compositor that leaves the image as it is.
def plain_compositor():
    if hasattr(scene, "compositing_node_group"):
        tree = scene.compositing_node_group = bpy.data.node_groups.new("plain", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        end = tree.nodes.new("NodeGroupOutput")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        end = tree.nodes.new("CompositorNodeComposite")
    tree.links.new(tree.nodes.new("CompositorNodeRLayers").outputs["Image"], end.inputs[0])
