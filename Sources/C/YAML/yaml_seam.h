// LibYAML, which reads recipes and settings.
#pragma once

#include <yaml.h>
