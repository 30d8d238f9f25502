// The name of an operation stands in a button: a link in it could not be reached by its own.
const NamesWithoutLinks = () => ({ components: { DeepLink: ({ text }) => text } });

window.addEventListener("load", () => {
  SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    plugins: [NamesWithoutLinks],
  });
});
