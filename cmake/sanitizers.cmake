# Applies CPPASGI_SANITIZE (a -fsanitize= list) to everything built from here on.
if(CPPASGI_SANITIZE)
  add_compile_options(-fsanitize=${CPPASGI_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${CPPASGI_SANITIZE})
endif()
